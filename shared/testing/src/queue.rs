//! The delay queue in memory: a standard queue of SQS that starts the guard. A message comes at least once, and never
//! before its time.

use crate::{Inner, Port, World};
use jiff::{SignedDuration, Timestamp};
use warden_engine::{
    call_error::CallError,
    guard::{Fetch, Guard},
    model::{settings::Settings, tags::GuardKind},
    on_message,
    ports::{Clock, DelayQueue, World as Ports},
    run::delay::DelayedLook,
};

/// The longest time that SQS holds a message back (`DelaySeconds` of SendMessage, SQS API reference).
const LONGEST_DELAY: SignedDuration = SignedDuration::from_mins(15);
/// For how long a message is out of sight once it was received: the template's visibility timeout.
const VISIBILITY: SignedDuration = SignedDuration::from_mins(12);
/// How often a message is received before it goes to the dead letters: the template's `maxReceiveCount`.
const MOST_RECEIVES: u32 = 5;
/// What a message begins with that the guard has sealed.
const SEAL: &str = "sealed in this world: ";

/// A message of the delay queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// When it comes.
    pub due: Timestamp,
    /// What it says.
    pub body: String,
    number: u64,
    received: u32,
}

impl<C> Inner<C> {
    fn enqueue(&mut self, body: String, due: Timestamp) {
        let number = self.queue.iter().map(|message| message.number + 1).max().unwrap_or_default();
        self.queue.push(Message { due, body, number, received: 0 });
    }
}

/// The queue as tests see it.
impl<C> World<C> {
    /// Everything that waits in the delay queue.
    pub fn messages(&self) -> Vec<Message> {
        self.inner.borrow().queue.clone()
    }

    /// The delay queue's dead letters.
    pub fn dead_letters(&self) -> Vec<String> {
        self.inner.borrow().dead.iter().map(|message| message.body.clone()).collect()
    }

    /// Somebody else puts a message into the delay queue.
    pub fn put_message(&self, body: &str) {
        let now = self.now();
        self.inner.borrow_mut().enqueue(body.to_owned(), now);
    }

    /// Lets every message that waits come once more than it was sent.
    pub fn duplicate_messages(&self) {
        for message in self.messages() {
            self.inner.borrow_mut().enqueue(message.body, message.due);
        }
    }

    /// Starts the guard with each message in turn that comes within that time, and lets the time pass meanwhile.
    pub async fn work_off<G: Guard<Context = C>>(&self, guard: &G, settings: &Settings, within: SignedDuration)
    where
        Self: Ports + Fetch<G>,
    {
        let end = self.now() + within;
        loop {
            let next = self.inner.borrow().queue.iter().filter(|message| message.due <= end).map(|it| it.due).min();
            let Some(due) = next else { return };
            let left = due.duration_since(self.now());
            if left > SignedDuration::ZERO {
                self.sleep(left).await;
            }
            self.receive(guard, settings).await;
        }
    }

    /// Starts the guard with the message that is due, if there is one.
    async fn receive<G: Guard<Context = C>>(&self, guard: &G, settings: &Settings)
    where
        Self: Ports + Fetch<G>,
    {
        let now = self.now();
        let message = {
            let mut inner = self.inner.borrow_mut();
            let due = inner.queue.iter_mut().filter(|message| message.due <= now).min_by_key(|message| message.due);
            let Some(message) = due else { return };
            message.due = now + VISIBILITY;
            message.received += 1;
            message.clone()
        };
        let handled = on_message(guard, self, settings, &message.body).await;
        let mut inner = self.inner.borrow_mut();
        if handled.is_ok() || message.received >= MOST_RECEIVES {
            inner.queue.retain(|other| other.number != message.number);
        }
        if handled.is_err() && message.received >= MOST_RECEIVES {
            inner.dead.push(message);
        }
    }
}

impl<C> DelayQueue for World<C> {
    async fn look_later(&self, look: &DelayedLook, delay: SignedDuration) -> Result<(), CallError> {
        let body = format!("{SEAL}{}", serde_json::to_string(look).unwrap());
        assert!(body.len() < 1024 * 1024, "a message of {} bytes", body.len());
        // Whole seconds.
        let delay = SignedDuration::from_secs((delay.as_millis() as i64 + 999) / 1000).min(LONGEST_DELAY);
        let now = self.now();
        self.at(Port::Later, |inner| {
            inner.enqueue(body, now + delay);
            Ok(())
        })
        .await
    }

    async fn opened(&self, guard: GuardKind, message: &str) -> Result<Option<DelayedLook>, CallError> {
        let look = message.strip_prefix(SEAL).and_then(|look| serde_json::from_str::<DelayedLook>(look).ok());
        Ok(look.filter(|look| look.guard == guard))
    }
}
