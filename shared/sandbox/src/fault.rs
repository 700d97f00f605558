//! Faults that the proxy brings about: delays, errors, answers that are lost.

use std::{sync::Mutex, time::Duration};

/// What may go wrong with one call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The service refuses it as too frequent (429 or 400, as the service says it) and does nothing.
    Throttle,
    /// The service answers 500 and does nothing.
    ServerError,
    /// The service does it, and the answer is lost.
    LoseAnswer,
    /// The bootstrap that makes the call is killed before the service sees it. A caller that is no function only loses
    /// its connection, here and in `KillAfter`.
    KillBefore,
    /// The service does it, and the bootstrap that made the call is killed before it learns of it.
    KillAfter,
    /// The service answers with this error and does nothing: 409 `ResourceConflictException`, 412
    /// `PreconditionFailedException`.
    Answer {
        /// HTTP status.
        status: u16,
        /// The error's code.
        code: String,
    },
    /// The service does not know the operation, as in a Region that does not offer it: it answers 403
    /// `AccessDeniedException`, to whoever may do everything too.
    NotOffered,
    /// The call takes that much longer.
    Delay(Duration),
}

/// Which calls a fault is for. An empty one is for every call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallMatch {
    principal: Option<String>,
    service: Option<String>,
    operation: Option<String>,
}

impl CallMatch {
    /// Matches every call.
    pub fn any() -> Self {
        Self::default()
    }

    /// Calls of that operation, such as `RemovePermission`.
    pub fn operation(name: &str) -> Self {
        Self { operation: Some(name.to_owned()), ..Self::default() }
    }

    /// Only those of a principal whose ARN contains the text, such as a role's name.
    #[must_use]
    pub fn by(self, principal: &str) -> Self {
        Self { principal: Some(principal.to_owned()), ..self }
    }

    /// Only those to the service, named as in a signature's scope: `dynamodb`.
    #[must_use]
    pub fn to(self, service: &str) -> Self {
        Self { service: Some(service.to_owned()), ..self }
    }

    fn covers(&self, principal: Option<&str>, service: &str, operation: &str) -> bool {
        self.principal.as_deref().is_none_or(|wanted| principal.is_some_and(|arn| arn.contains(wanted)))
            && self.service.as_deref().is_none_or(|wanted| wanted == service)
            && self.operation.as_deref().is_none_or(|wanted| wanted == operation)
    }
}

/// In which order held deliveries go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the events happened.
    Happened,
    /// The last one first.
    Reversed,
}

/// What is to go wrong. Shared with the proxy; a change holds from the next call on.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    latency: Duration,
    planned: Vec<Planned>,
    holding: bool,
    copies: usize,
    without_function_urls: bool,
}

#[derive(Debug)]
struct Planned {
    calls: CallMatch,
    /// How many matching calls go by before it strikes.
    skip: usize,
    /// How many it then strikes.
    times: usize,
    fault: Fault,
}

impl Faults {
    /// Makes every call take at least that much longer: the round trip to a Region.
    pub fn latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Strikes the `nth` matching call from now on, counted from 1.
    pub fn inject(&self, calls: CallMatch, nth: usize, fault: Fault) {
        self.state().planned.push(Planned { calls, skip: nth.saturating_sub(1), times: 1, fault });
    }

    /// Strikes the next `times` matching calls.
    pub fn inject_next(&self, calls: CallMatch, times: usize, fault: Fault) {
        self.state().planned.push(Planned { calls, skip: 0, times, fault });
    }

    /// Makes the Region one without function URLs: all their operations meet [`Fault::NotOffered`]. Which Regions those
    /// are: <https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html>; what Lambda answers there:
    /// <https://github.com/zappa/Zappa/issues/1425>.
    pub fn without_function_urls(&self) {
        self.state().without_function_urls = true;
    }

    /// Faults that have not struck yet. Empty at the end of a test that means all its faults to strike.
    pub fn pending(&self) -> Vec<Fault> {
        let state = self.state();
        state.planned.iter().filter(|planned| planned.times > 0).map(|planned| planned.fault.clone()).collect()
    }

    /// Keeps events back until [`Trail::release`](crate::Trail::release).
    pub fn hold_deliveries(&self) {
        self.state().holding = true;
    }

    /// Delivers every event that many more times, as EventBridge may (delivery is at least once).
    pub fn duplicate_deliveries(&self, copies: usize) {
        self.state().copies = copies;
    }

    /// Ends all of it. What is held stays so until it is released.
    pub fn clear(&self) {
        let mut state = self.state();
        let holding = state.holding;
        *state = State { holding, ..State::default() };
    }

    pub(crate) fn holding(&self) -> bool {
        self.state().holding
    }

    pub(crate) fn stop_holding(&self) {
        self.state().holding = false;
    }

    pub(crate) fn copies(&self) -> usize {
        self.state().copies
    }

    /// What the next such call meets: how much later it comes, and the fault.
    pub(crate) fn meet(&self, principal: Option<&str>, service: &str, operation: &str) -> (Duration, Option<Fault>) {
        let mut state = self.state();
        let mut met = None;
        for planned in state.planned.iter_mut().filter(|planned| planned.calls.covers(principal, service, operation)) {
            if planned.skip > 0 {
                planned.skip -= 1;
            } else if planned.times > 0 && met.is_none() {
                planned.times -= 1;
                met = Some(planned.fault.clone());
            }
        }
        if met.is_none()
            && state.without_function_urls
            && service == "lambda"
            && operation.contains("FunctionUrlConfig")
        {
            met = Some(Fault::NotOffered);
        }
        (state.latency, met)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing panics while it is held; a poisoned state is still the state.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_matching_call_is_struck_once() {
        let faults = Faults::default();
        faults.inject(CallMatch::operation("PutItem").by("guard"), 2, Fault::LoseAnswer);
        let meet = |principal, operation| faults.meet(Some(principal), "dynamodb", operation).1;
        assert_eq!(meet("arn:guard", "PutItem"), None);
        assert_eq!(meet("arn:guard", "GetItem"), None);
        assert_eq!(meet("arn:other", "PutItem"), None);
        assert_eq!(meet("arn:guard", "PutItem"), Some(Fault::LoseAnswer));
        assert_eq!(meet("arn:guard", "PutItem"), None);
        assert!(faults.pending().is_empty());
    }
}
