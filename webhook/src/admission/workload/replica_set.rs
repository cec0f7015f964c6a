//! A ReplicaSet by a trusted controller: let through as it is, or not at all, for its template is part of its name.

use kube2hadoop_stamp::names;

use super::Workload;
use crate::admission::template::Template;
use crate::admission::{Decision, Outcome};
use crate::identity::{Called, Nobody, Owned, fits};
use crate::review::Answer;

impl Workload<'_> {
    pub(super) fn controllers_replica_set(&self) -> Decision {
        let spots = self.kind.spots(self.object);
        let borrows = spots.iter().any(|spot| {
            let old = self.old.and_then(|old| Template::at(old, spot));
            Template::at(self.object, spot).is_some_and(|new| self.borrows(&new, old))
        });
        match borrows {
            true => Decision::denied(&Nobody::OtherOrigin),
            false => Decision::new(Outcome::Untouched, Answer::default()),
        }
    }

    /// Would its pods pass for an object's that does not own it? They show what it is called, not whose it is: whatever
    /// else its controller serves (argo-rollouts Experiments) lets people choose that name.
    fn borrows(&self, template: &Template<'_>, old: Option<Template<'_>>) -> bool {
        let stamp = template.annotation(names::STAMP);
        // It was looked at when it came; its owner may be gone since then, or be another.
        if old.is_some_and(|old| old.annotation(names::STAMP) == stamp) {
            return false;
        }
        let Some(claims) = self.verified(template) else {
            return false;
        };
        let here = self.origin();
        let labels = template.labels();
        let by_its_pods = Owned {
            api_version: &here.api_version,
            kind: &here.kind,
            name: Called::from(&here.name),
            labels: labels.as_ref(),
        };
        // By name alone, not by what a hash leaves of it.
        let owner = Owned::of(&self.metadata).map(|owner| Owned {
            labels: None,
            ..owner
        });
        fits(&claims.origin, &by_its_pods)
            && !owner.is_some_and(|owner| fits(&claims.origin, &owner))
    }
}
