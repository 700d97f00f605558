//! Time and chance.

use crate::Aws;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use warden_engine::ports::Clock;

impl Clock for Aws {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn entropy(&self) -> u128 {
        rand::random()
    }

    async fn sleep(&self, duration: SignedDuration) {
        tokio::time::sleep(Duration::try_from(duration).unwrap_or_default()).await;
    }
}
