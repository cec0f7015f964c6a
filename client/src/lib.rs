//! What the injected client and the fetcher must agree on, and the Hadoop credentials file.
//!
//! - [`contract`]: the request, the answer and the problems of `POST /v1/tokens`.
//! - [`credentials`]: tokens, their identifiers, and the file that `HADOOP_TOKEN_FILE_LOCATION` names.
//! - [`secret`]: bytes and text that are wiped when dropped and never printed.

pub mod contract;
pub mod credentials;
pub mod secret;
