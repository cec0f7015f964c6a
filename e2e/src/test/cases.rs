//! The list of all cases, by the name that `cargo e2e test FILTER` chooses from.

use anyhow::Result;

use super::{
    Scene, attacks, bad_input, bearers, clients, connect, copies, credentials, expectations,
    faults, guards, hadoop_2, identity, keys, legacy, lifecycle, main_job, operations, origins,
    outside, reinvocation, services, slow, spark, training, updates,
};

/// One end-to-end test.
pub struct Case {
    pub name: &'static str,
    pub run: fn(&Scene<'_>) -> Result<()>,
}

macro_rules! cases {
    ($($module:ident :: { $($case:ident),* $(,)? })*) => {
        vec![$($(Case { name: concat!(stringify!($module), "::", stringify!($case)), run: $module::$case },)*)*]
    };
}

/// Every case, in the order in which they begin.
pub fn all() -> Vec<Case> {
    let mut all = side_by_side();
    all.extend(alone());
    all
}

/// Those that change nothing but what is in their own namespaces: several of them run at a time.
pub(super) fn side_by_side() -> Vec<Case> {
    cases! {
        // The longest of them: at the end all would wait for it alone.
        hadoop_2::{
            tokens_from_issue_to_cancellation,
        }
        main_job::{
            a_job_reads_and_writes_as_its_submitter,
            hdfs_refuses_bob_by_name,
            an_unlabelled_namespace_is_untouched,
            a_labelled_pod_in_an_unlabelled_namespace,
            a_pod_may_opt_out,
            a_deployment_keeps_its_submitter,
            an_encryption_zone_by_the_kms_token,
            the_pods_of_a_job_share_one_token,
            an_injected_pod_meets_restricted_pod_security,
            a_dry_run_tells_the_same,
            somebody_elses_settings_stay,
        }
        lifecycle::{
            tokens_end_with_their_job_and_not_by_one_pod,
        }
        attacks::{
            a_copied_stamp_on_a_pod,
            a_stamp_edited_on_a_template,
            a_superuser_by_run_as,
            a_bearer_of_another_audience,
            no_bearer_and_garbage,
            a_label_of_a_strange_value,
            a_review_made_up,
        }
        copies::{
            stamps_of_other_pods,
            a_templates_stamp_and_an_owner_made_up,
            a_stamp_through_an_unlisted_operator,
            a_stamp_through_a_listed_operators_replica_set,
            a_custom_resource_with_a_copied_stamp,
        }
        credentials::{
            a_mapped_service_account_of_the_namespace,
            what_a_pod_submits_is_its_users,
            a_pod_on_the_host_network,
            two_users_racing_on_one_workload,
        }
        connect::{
            is_warned_of,
        }
        identity::{
            run_as_needs_a_role,
            run_as_by_an_ldap_group,
            a_wildcard_role_grants_nobody,
            a_training_job_is_its_last_authors,
        }
        bearers::{
            of_other_and_ended_pods,
        }
        expectations::{
            applying_again_changes_nothing,
            impersonation_and_questions,
            a_list_and_generated_names,
            a_pod_keeps_its_quality_of_service_and_its_namespaces_limits,
        }
        updates::{
            only_code_changes_the_user,
            nobody_takes_a_stamp_away_and_a_queue_keeps_it,
            an_undo_is_its_callers_and_finds_the_old_replica_set,
            a_namespace_labelled_late,
        }
        origins::{
            all_of_them_write_as_their_submitter,
        }
        reinvocation::{
            a_later_webhook_changes_nobodys_user,
        }
        clients::{
            hdfs_native_reads_and_writes,
            libhdfs_reads_and_writes,
        }
        legacy::{
            a_pod_of_old_works_unchanged,
        }
        bad_input::{
            nobody_by_namespace_label_starts_without_a_token,
            nobody_by_their_own_label_is_told_why,
            a_denied_user_is_told_why,
            a_volume_with_our_name,
        }
        operations::{
            the_chart_is_accepted_by_the_api_server,
            the_doctor_finds_nothing,
        }
    }
}

/// Those that take away, replace or count what all share, and Spark, which wants all of the machine, or its tokens end
/// before it does: one after the other, when nothing else runs.
pub(super) fn alone() -> Vec<Case> {
    cases! {
        operations::{
            nothing_is_forbidden_to_the_services,
        }
        training::{
            replicas_read_hdfs_as_the_submitter,
        }
        spark::{
            drivers_and_executors_are_the_submitters,
        }
        services::{
            of_an_https_only_cluster,
            resource_managers,
        }
        guards::{
            they_hold_without_the_webhook,
        }
        connect::{
            can_be_denied,
        }
        keys::{
            a_rotation_refuses_no_pod_and_a_revocation_its_stamps,
        }
        outside::{
            pods_ask_a_fetcher_outside_the_cluster,
        }
        faults::{
            replicas_share_one_issue,
            killed_fetchers_leak_no_token,
            a_burst_outlives_its_fetchers,
            a_burst_outlives_a_failover_and_safe_mode,
            a_job_with_tokens_grows_without_a_kdc,
            a_leader_cut_off_is_succeeded,
            tokens_outlive_an_outage_and_kills,
        }
        slow::{
            a_namenode_that_hangs_costs_new_jobs_nothing_but_time,
        }
        bad_input::{
            an_unreachable_fetcher_is_named,
            both_namenodes_standby,
            a_dead_namenode_is_passed_over,
        }
        operations::{
            the_ca_bundle_heals,
            replicas_agree_on_one_ca,
            a_missing_guard_shows_in_readiness,
            an_open_registration_is_told_by_the_doctor,
            the_webhook_down_refuses_labelled_pods_only,
            a_fetcher_pod_killed_is_not_missed,
            the_deny_list_takes_effect_at_once,
        }
    }
}
