//! Cases about profiles at payment gateways. The adapters over HTTP are tested in `tests/gateways`.

pub(crate) mod profile_cases;
