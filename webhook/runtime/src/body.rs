//! A request's body, of bounded length.

use std::error::Error;

use axum::body::{Body, Bytes, to_bytes};
use http_body_util::LengthLimitError;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is too long")]
    TooLong,
    #[error("the body broke off")]
    Broken(#[source] axum::Error),
}

/// Reads a body of at most so many bytes.
///
/// # Errors
/// It is longer, or its sender or the connection failed.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    to_bytes(body, limit).await.map_err(|error| {
        match error
            .source()
            .is_some_and(|cause| cause.is::<LengthLimitError>())
        {
            true => BodyError::TooLong,
            false => BodyError::Broken(error),
        }
    })
}
