//! Round trips counted by cause and effect, whatever else the machine is doing.
//!
//! In lockstep, the calls of a function's invocation are held until the function can do no more without an answer: all
//! its threads sleep, and nothing lies unread between it and the proxy. Then they go on together, which is one round
//! trip. A call that had to wait for an answer is held for the next.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
};

use crate::{call::Invocation, upstream::Upstream};

/// How often a function is looked at until it sleeps.
const LOOK: Duration = Duration::from_millis(1);
/// How often it must be seen to sleep: its threads are not looked at in one instant. Where nobody can look, this is how
/// long it has.
const QUIET_CHECKS: u32 = if cfg!(target_os = "linux") { 2 } else { 30 };

/// What a connection of the proxy is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is under way.
    Quiet,
    /// Part of a request is here.
    Arriving,
    /// The request is held.
    Held,
    /// The request went on, and the answer is awaited.
    Forwarded,
    /// The answer is there, but not handed to the system yet.
    Answered,
}

/// The invocations in lockstep, and the connections that calls come by.
#[derive(Debug, Default)]
pub(crate) struct Lockstep(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    on: bool,
    /// By the caller's port.
    connections: HashMap<u16, State>,
    runs: HashMap<Invocation, Arc<Run>>,
}

/// The calls of one invocation.
#[derive(Debug, Default)]
struct Run {
    held: Mutex<Vec<oneshot::Sender<u32>>>,
    came: Notify,
}

impl Lockstep {
    /// Holds the calls of every function from now on, or of none.
    pub(crate) fn set(&self, on: bool) {
        self.inner().on = on;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self, port: u16, state: State) {
        self.inner().connections.insert(port, state);
    }

    /// Part of a request came by the connection from `port`.
    pub(crate) fn arriving(&self, port: u16) {
        self.connection(port, State::Arriving);
    }

    /// The answer for the connection from `port` is there.
    pub(crate) fn answered(&self, port: u16) {
        self.connection(port, State::Answered);
    }

    /// Everything for the connection from `port` was handed to the system.
    pub(crate) fn flushed(&self, port: u16) {
        let mut inner = self.inner();
        if let Some(state @ State::Answered) = inner.connections.get_mut(&port) {
            *state = State::Quiet;
        }
    }

    /// The connection from `port` is gone.
    pub(crate) fn gone(&self, port: u16) {
        self.inner().connections.remove(&port);
    }

    /// Holds a call of `invocation` that came from `port` until its turn; says in which step of the invocation that is,
    /// counted from 1.
    /// `None` where nothing is held.
    pub(crate) async fn hold(
        self: &Arc<Self>,
        invocation: &Invocation,
        port: u16,
        (upstream, runtime): (&Upstream, &Handle),
    ) -> Option<u32> {
        let (sender, turn) = oneshot::channel();
        {
            let mut inner = self.inner();
            if !inner.on {
                return None;
            }
            inner.connections.insert(port, State::Held);
            let run = inner.runs.entry(invocation.clone()).or_insert_with(|| {
                let run = Arc::new(Run::default());
                runtime.spawn(self.clone().lead(invocation.clone(), run.clone(), upstream.clone()));
                run
            });
            run.held.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
            run.came.notify_one();
        }
        let step = turn.await.ok();
        self.connection(port, State::Forwarded);
        step
    }

    /// Lets the calls of an invocation go, step by step.
    async fn lead(self: Arc<Self>, invocation: Invocation, run: Arc<Run>, upstream: Upstream) {
        let found = upstream.control("process", &[("trace", &invocation.0)]).await;
        let process = found.ok().and_then(|pid| pid.as_i64()).and_then(|pid| i32::try_from(pid).ok());
        for step in 1.. {
            run.came.notified().await;
            let mut asleep = 0;
            while asleep < QUIET_CHECKS {
                tokio::time::sleep(LOOK).await;
                asleep = if process.is_none_or(|process| self.waits(process)) { asleep + 1 } else { 0 };
            }
            let turns = std::mem::take(&mut *run.held.lock().unwrap_or_else(PoisonError::into_inner));
            for turn in turns {
                // A caller that went away needs none.
                let _ = turn.send(step);
            }
        }
    }

    /// Whether a process can do no more without an answer. One that is gone can do nothing at all.
    fn waits(&self, process: i32) -> bool {
        match Waiting::of(process) {
            Waiting::Gone => true,
            Waiting::Awake => false,
            Waiting::Asleep(ports) => {
                let inner = self.inner();
                let settled = |port| matches!(inner.connections.get(port), None | Some(State::Quiet | State::Held));
                ports.iter().all(settled)
            }
        }
    }
}

/// What a process is doing.
enum Waiting {
    /// There is no such process any more.
    Gone,
    /// A thread of it works, or something lies unread before it or the proxy.
    Awake,
    /// It waits, with connections at these local ports.
    Asleep(Vec<u16>),
}

impl Waiting {
    #[cfg(target_os = "linux")]
    fn of(process: i32) -> Self {
        use procfs::{
            ProcResult, net,
            process::{FDTarget, ProcState, Process},
        };
        use std::collections::HashSet;

        let look = || -> ProcResult<Self> {
            let process = Process::new(process)?;
            let sockets: HashSet<u64> = process
                .fd()?
                .filter_map(|fd| if let FDTarget::Socket(inode) = fd.ok()?.target { Some(inode) } else { None })
                .collect();
            let connections = net::tcp()?;
            let own = || connections.iter().filter(|connection| sockets.contains(&connection.inode));
            let ports: HashSet<u16> = own().map(|connection| connection.local_address.port()).collect();
            // What it sent lies at the other end, which may not have been accepted yet and so is nobody's.
            let to_it = connections.iter().filter(|connection| ports.contains(&connection.remote_address.port()));
            let unread = own().chain(to_it).any(|connection| connection.rx_queue > 0 || connection.tx_queue > 0);
            let mut asleep = !unread;
            for task in process.tasks()? {
                asleep &= task?.stat()?.state()? == ProcState::Sleeping;
            }
            Ok(if asleep { Self::Asleep(ports.into_iter().collect()) } else { Self::Awake })
        };
        // A process ends while one looks at it: its threads first.
        look().unwrap_or_else(|_| {
            if Process::new(process).is_ok_and(|it| it.is_alive()) { Self::Awake } else { Self::Gone }
        })
    }

    /// Elsewhere nobody can say.
    #[cfg(not(target_os = "linux"))]
    fn of(_: i32) -> Self {
        Self::Asleep(Vec::new())
    }
}
