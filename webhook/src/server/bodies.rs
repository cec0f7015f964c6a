//! Bodies: how long one may be, and how much of our memory all of them together.

use axum::body::{Body, Bytes, HttpBody};
use kube2hadoop_runtime::body::{self, BodyError};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{HttpError, Until};

/// etcd takes 1.5 MiB an object; a review of an UPDATE carries two.
pub(super) const LIMIT: u32 = 3 * 1024 * 1024;

/// Bytes of a usual pod's review, and more. There is room for so many on each connection: nobody waits with them, however
/// many large ones are here or never come.
pub(super) const SMALL: u32 = 32 * 1024;

/// Bytes of all larger bodies that are here at a time.
pub(super) const LARGE_TOGETHER: u32 = 16 * 1024 * 1024;

/// The room for large bodies.
#[derive(Debug)]
pub struct Bodies(Semaphore);

impl Default for Bodies {
    fn default() -> Self {
        Self(Semaphore::new(LARGE_TOGETHER as usize))
    }
}

/// What a body takes of the room, until it is dropped.
pub(super) type Room<'a> = Option<SemaphorePermit<'a>>;

impl Bodies {
    /// Reads a body once there is room for it.
    pub(super) async fn read(
        &self,
        body: Body,
        until: Until,
    ) -> Result<(Bytes, Room<'_>), HttpError> {
        let room = self.room(body.size_hint().upper(), until).await?;
        Ok((read(body).await?, room))
    }

    async fn room(&self, told: Option<u64>, until: Until) -> Result<Room<'_>, HttpError> {
        // A length that is not told may be any.
        let length = told.unwrap_or(u64::from(LIMIT));
        match u32::try_from(length) {
            Ok(length) if length <= SMALL => Ok(None),
            Ok(length) if length <= LIMIT => {
                let room = until.answer(self.0.acquire_many(length)).await;
                room.and_then(Result::ok).map(Some).ok_or(HttpError::NoRoom)
            }
            _ => Err(HttpError::TooLarge),
        }
    }
}

async fn read(body: Body) -> Result<Bytes, HttpError> {
    let read = body::read(body, LIMIT as usize).await;
    read.map_err(|error| match error {
        BodyError::TooLong => HttpError::TooLarge,
        BodyError::Broken(error) => HttpError::Broken(error),
    })
}
