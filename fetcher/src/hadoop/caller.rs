//! Who calls Hadoop's services, and by what: shared by all of them.

use kube2hadoop_stamp::{DenyList, HadoopUser};
use tokio::sync::watch;

use super::HadoopError;
use super::http::Http;
use super::resolver::Resolver;

pub(super) struct Caller {
    pub(super) http: Http,
    pub(super) resolver: Resolver,
    /// First part of our principal: what the proxy user keys name.
    pub(super) principal: String,
    pub(super) renewer: String,
    pub(super) deny: watch::Receiver<DenyList>,
}

impl Caller {
    /// The last check before a name goes to Hadoop, which itself checks none.
    pub(super) fn check(&self, user: &HadoopUser) -> Result<(), HadoopError> {
        if self.deny.borrow().contains(user) {
            return Err(HadoopError::UserDenied(user.clone()));
        }
        Ok(())
    }
}
