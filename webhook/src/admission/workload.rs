//! A workload: every template of it is stamped for whoever answers for what it runs.

mod replica_set;
mod whose;

use kube2hadoop_stamp::names;
use serde::Deserialize;
use serde_json::Value;

use super::code::{code, elsewhere, outputs, smuggled};
use super::template::Template;
use super::{AdmissionError, Asked, Context, Decision, Outcome, UNCLEAR, UnmappedUpdate, asked};
use crate::identity::{Identity, Nobody};
use crate::inject::{Ops, strip};
use crate::kinds::{Kind, Spot};
use crate::pod::Metadata;
use crate::review::{Answer, Object, Operation, Request};

pub(super) fn admit(
    request: &Request<'_>,
    context: &Context<'_>,
    kind: &Kind,
) -> Result<Decision, AdmissionError> {
    let Some(Object::Other(object)) = &request.object else {
        return Err(AdmissionError::NoObject);
    };
    let old = match request.operation {
        Operation::Update => parse(request.old_object.map(|raw| raw.get()))?,
        _ => None,
    };
    let namespace = request
        .namespace
        .as_deref()
        .ok_or(AdmissionError::NoNamespace)?;
    let Whole { metadata } = Whole::deserialize(object)?;
    let mutator = context.policy.identity.mutator(&request.user_info.username);
    let runs = |object: &Value| code(object, kind, mutator);
    let code = runs(object);
    let workload = Workload {
        metadata,
        request,
        context,
        namespace,
        kind,
        object,
        same_code: old.as_ref().is_some_and(|old| runs(old) == code),
        same_outputs: old
            .as_ref()
            .is_some_and(|old| outputs(old, kind) == outputs(object, kind)),
        old: old.as_ref(),
        elsewhere: elsewhere(&code, kind),
    };
    if workload.is_controllers_replica_set() {
        return Ok(workload.controllers_replica_set());
    }
    if kind.has_an_operator()
        && !workload.same_code
        && !workload.by_its_operator()
        && let Some(smuggled) = smuggled(&code, kind)
    {
        return Ok(Decision::denied(&smuggled));
    }
    match workload.taken_away() {
        Some(reason) => Ok(Decision::denied(&reason)),
        None => workload.stamp(),
    }
}

fn parse(text: Option<&str>) -> Result<Option<Value>, serde_json::Error> {
    text.filter(|text| *text != "null")
        .map(serde_json::from_str)
        .transpose()
}

struct Workload<'a> {
    metadata: Metadata<'a>,
    request: &'a Request<'a>,
    context: &'a Context<'a>,
    namespace: &'a str,
    kind: &'a Kind,
    object: &'a Value,
    old: Option<&'a Value>,
    /// Its author has written what stood in the old one.
    same_code: bool,
    /// Its steps gave what they had given, of which others are made.
    same_outputs: bool,
    /// It refers to another object, which others may change.
    elsewhere: Option<&'a str>,
}

/// What becomes of one template.
enum Fate<'a> {
    /// Our keys are those of the old template, whatever they are: any other would start a rollout, or be refused.
    Restored(Template<'a>, Option<String>),
    Stripped(Option<String>),
    Noted {
        identity: Identity,
        stamp: String,
        outcome: Outcome,
        warning: Option<String>,
    },
    Denied(String),
}

impl Workload<'_> {
    /// Decides on one template after the other.
    fn stamp(&self) -> Result<Decision, AdmissionError> {
        let mut ops = Ops::default();
        // Our keys mean something on templates only.
        strip(&mut ops, &self.metadata, None);
        let mut decision = Decision::new(Outcome::Untouched, Answer::default());
        let spots = self.kind.spots(self.object);
        for spot in &spots {
            let Some(template) = Template::at(self.object, spot) else {
                continue;
            };
            let fate = self.decide(&template, spot)?;
            decision = match self.apply(fate, &template, &mut ops, decision) {
                Ok(decision) => decision,
                Err(reason) => return Ok(Decision::denied(&reason)),
            };
        }
        decision.answer.patch = ops;
        Ok(decision)
    }

    /// Writes a template's fate, or says why the whole object is denied.
    fn apply(
        &self,
        fate: Fate<'_>,
        template: &Template<'_>,
        ops: &mut Ops,
        mut decision: Decision,
    ) -> Result<Decision, String> {
        match fate {
            Fate::Denied(reason) => return Err(reason),
            Fate::Restored(old, warning) => {
                template.restore(ops, &old);
                decision.answer.warnings.extend(warning);
            }
            Fate::Stripped(warning) => {
                template.strip(ops);
                decision.answer.warnings.extend(warning);
                decision.outcome = Outcome::Stripped;
            }
            Fate::Noted {
                identity,
                stamp,
                outcome,
                warning,
            } => {
                let noted = template.note(ops, &identity, &stamp);
                noted.map_err(|conflict| conflict.to_string())?;
                decision.answer.warnings.extend(warning);
                decision.outcome = outcome;
                let rests_on = match outcome {
                    Outcome::Kept => Some(&*stamp),
                    _ => template.annotation(names::STAMP),
                };
                decision = decision
                    .of(&identity)
                    .resting_on(rests_on, self.context.keys);
            }
        }
        Ok(decision)
    }

    fn decide<'b>(
        &'b self,
        template: &Template<'_>,
        spot: &'b Spot,
    ) -> Result<Fate<'b>, AdmissionError> {
        let asked = asked(template.label(names::INJECT_LABEL), self.context.scope);
        let old = self.old.and_then(|old| Template::at(old, spot));
        let kept = old.and_then(|old| self.valid(&old));
        // It runs what the old one ran.
        let same = old.filter(|_| self.same_code && self.same_outputs);
        if same.is_none()
            && let Some((before, _)) = &kept
            && let Some(reason) = self.stays(before, template)
        {
            return Ok(Fate::Denied(reason));
        }
        match (same, kept, asked) {
            (Some(_), Some((identity, stamp)), _) => Ok(Fate::Noted {
                identity,
                stamp,
                outcome: Outcome::Kept,
                warning: None,
            }),
            (Some(old), None, _) if self.is_running_job() => {
                Ok(Fate::Restored(old, self.recreate(asked)))
            }
            (same, Some((before, _)), Asked::No)
                if template.label(names::INJECT_LABEL).is_some() =>
            {
                Ok(self.disabled(template, same, &before))
            }
            (_, _, Asked::No) => Ok(Fate::Stripped(None)),
            (_, _, Asked::Unclear) => Ok(Fate::Denied(UNCLEAR.to_owned())),
            (same, kept, _) => {
                self.stamped(template, asked, same, kept.map(|(identity, _)| identity))
            }
        }
    }

    /// Somebody may switch the token off. Nobody takes it away, by this way either.
    fn disabled<'b>(
        &self,
        template: &Template<'_>,
        same: Option<Template<'b>>,
        before: &Identity,
    ) -> Fate<'b> {
        match self.identity(&self.subject(template), template) {
            Ok(_) => Fate::Stripped(None),
            Err(nobody) => self.nobody(nobody, Asked::No, same, Some(before)),
        }
    }

    /// Why a template with a valid stamp must not go, as when a Rollout refers to another object instead.
    fn taken_away(&self) -> Option<String> {
        let old = self.old?;
        let spots = self.kind.spots(old);
        let mut gone = spots.iter().filter_map(|spot| {
            let is_gone = Template::at(self.object, spot).is_none();
            Template::at(old, spot).filter(|_| is_gone)
        });
        gone.find_map(|template| {
            let (before, _) = self.valid(&template)?;
            if let Some(reason) = self.stays(&before, &template) {
                return Some(reason);
            }
            let nobody = self.identity(&self.subject(&template), &template).err()?;
            match self.nobody(nobody, Asked::No, None, Some(&before)) {
                Fate::Denied(reason) => Some(reason),
                _ => None,
            }
        })
    }

    /// Why nobody but its author changes an object whose operator would put the change into pods that run as they do;
    /// switching the token off is a change, too, since those pods have theirs.
    fn stays(&self, before: &Identity, template: &Template<'_>) -> Option<String> {
        let now = self.identity(&self.subject(template), template);
        let authors = now.is_ok_and(|now| now.user == before.user);
        (!self.kind.hand_over && !authors).then(|| {
            format!(
                "{} submitted this, and its operator would put your change into pods that run as {}: \
                 delete it and create it again",
                before.submitter, before.user
            )
        })
    }

    fn stamped<'b>(
        &self,
        template: &Template<'_>,
        asked: Asked,
        same: Option<Template<'b>>,
        before: Option<Identity>,
    ) -> Result<Fate<'b>, AdmissionError> {
        let subject = self.subject(template);
        let identity = match self.identity(&subject, template) {
            Ok(identity) => identity,
            Err(nobody) => return Ok(self.nobody(nobody, asked, same, before.as_ref())),
        };
        let claims = identity.template_claims(&self.context.policy.issuer, &subject, self.origin());
        let stamp = self.context.keys.signing.sign_template(&claims)?;
        let warning = match before {
            Some(before) if before.user != identity.user => Some(format!(
                "kube2hadoop: you changed what runs, so it runs as {} from now on, and no longer as {}",
                identity.user, before.user
            )),
            None if same.is_some() => Some(format!(
                "kube2hadoop: this had no valid stamp; it runs as {} from now on",
                identity.user
            )),
            _ => None,
        };
        Ok(Fate::Noted {
            identity,
            stamp,
            outcome: Outcome::Stamped,
            warning,
        })
    }

    /// A running Job's template takes no stamp any more. Controllers write metadata all the time: no word to them.
    fn recreate(&self, asked: Asked) -> Option<String> {
        let asks = !matches!(asked, Asked::No | Asked::Unclear);
        let person = !self.request.user_info.username.starts_with("system:");
        (asks && person).then(|| {
            "kube2hadoop: this Job has no valid stamp, and a running Job cannot get one: delete it and create it again"
                .to_owned()
        })
    }

    fn nobody<'b>(
        &self,
        nobody: Nobody,
        asked: Asked,
        same: Option<Template<'b>>,
        before: Option<&Identity>,
    ) -> Fate<'b> {
        if let Some(old) = same {
            return Fate::Restored(old, None);
        }
        // By its operator, which nobody listed: it must be able to go on, be it without tokens.
        let steps = self.same_code && !self.same_outputs;
        if let Some(before) = before
            && !steps
            && self.context.policy.unmapped_update == UnmappedUpdate::Deny
        {
            return Fate::Denied(format!(
                "this changes what {} submitted, and would take its Hadoop user {} away: {nobody}",
                before.submitter, before.user
            ));
        }
        if asked == Asked::ByOwnLabel && !steps {
            return Fate::Denied(nobody.to_string());
        }
        Fate::Stripped(Some(format!(
            "kube2hadoop: its pods start without a Hadoop token: {nobody}"
        )))
    }

    fn is_controllers_replica_set(&self) -> bool {
        &*self.request.kind.kind == "ReplicaSet" && self.by_its_operator()
    }

    /// Its operator keeps its books in it.
    fn by_its_operator(&self) -> bool {
        let Request {
            kind, user_info, ..
        } = self.request;
        let policy = &self.context.policy.identity;
        policy.trusts(&user_info.username, &kind.group, &kind.kind)
    }

    /// The API server refuses any change of a running Job's template.
    fn is_running_job(&self) -> bool {
        let suspended = self
            .object
            .pointer("/spec/suspend")
            .and_then(Value::as_bool)
            == Some(true);
        let kind = &self.request.kind;
        &*kind.group == "batch" && &*kind.kind == "Job" && !suspended
    }
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
}
