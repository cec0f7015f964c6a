//! What the injected client, the webhook and the fetcher must agree on, and the Hadoop credentials file.
//!
//! - [`container`]: what the webhook gives the client's container.
//! - [`contract`]: the request, the answer and the problems of `POST /v1/tokens`.
//! - [`credentials`]: tokens, their identifiers, and the file that `HADOOP_TOKEN_FILE_LOCATION` names.
//! - [`secret`]: bytes and text that are wiped when dropped and never printed.

pub mod container;
pub mod contract;
pub mod credentials;
pub mod secret;
