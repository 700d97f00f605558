//! The engine on a strict world in memory, with a toy guard.

mod crashes;
mod delivery;
mod fights;
mod in_force;
mod limits;
mod lookup;
mod operators;
mod pre_existing;
mod rotating;
mod toy;
mod undoing;
mod waiting;
