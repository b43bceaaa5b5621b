//! A request's body: read up to a limit, or thrown away.
//!
//! Invariant: of a body that is refused so much is read that an honest client gets to the answer, and no more.

use axum::body::Body;
use http_body_util::BodyExt;
use telemetry_core::limits;

/// A body that was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is over the limit.
    #[error("the body is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The connection or the encoding of the transfer broke.
    #[error("the body broke off")]
    Broken(#[source] axum::Error),
}

/// Reads a body whole.
pub(crate) async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else { continue };
        if data.len() > limit.saturating_sub(bytes.len()) {
            drop(bytes);
            discard(body).await;
            return Err(BodyError::TooLarge { limit });
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Throws a body away, so that its sender comes to read the answer.
pub(crate) async fn discard(mut body: Body) {
    let mut seen = 0_u64;
    while seen <= limits::MAX_DISCARDED_BODY_BYTES {
        match body.frame().await {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                seen = seen.saturating_add(length);
            }
            Some(Err(_)) | None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_of_the_limit_is_taken_and_of_one_more_byte_is_not() {
        let taken = read(Body::from("12345"), 5).await.unwrap();
        assert_eq!(taken, b"12345");
        let refused = read(Body::from("123456"), 5).await;
        assert!(matches!(refused, Err(BodyError::TooLarge { limit: 5 })), "{refused:?}");
        assert_eq!(read(Body::empty(), 0).await.unwrap(), b"");
    }
}
