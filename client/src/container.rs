//! The injected container: the variables that the webhook gives it, and where it leaves what every container reads.

/// `https://host:port` of the fetcher.
pub const URL: &str = "KUBE2HADOOP_URL";
/// PEM of the CAs that stand behind the fetcher's certificate.
pub const CA: &str = "KUBE2HADOOP_CA";
/// The pod's services annotation, where it has one.
pub const SERVICES: &str = "KUBE2HADOOP_SERVICES";
/// For how long the init container tries.
pub const DEADLINE: &str = "KUBE2HADOOP_DEADLINE_SECONDS";
/// The mode of the credentials file.
pub const FILE_MODE: &str = "KUBE2HADOOP_FILE_MODE";

/// The name of the sidecar that keeps the files fresh.
pub const REFRESH_CONTAINER: &str = "kube2hadoop-refresh-token";

/// Where the memory volume is mounted.
pub const DIRECTORY: &str = "/var/run/kube2hadoop";
/// The credentials file in it.
pub const CREDENTIALS: &str = "hdfs-delegation-token";
/// What `HADOOP_TOKEN_FILE_LOCATION` names.
pub const CREDENTIALS_PATH: &str = "/var/run/kube2hadoop/hdfs-delegation-token";
/// The directory of the configuration in it.
pub const CONF: &str = "conf";
/// What `HADOOP_CONF_DIR` names.
pub const CONF_PATH: &str = "/var/run/kube2hadoop/conf";
/// Where the pod's identity is mounted, for the injected containers alone.
pub const IDENTITY_DIRECTORY: &str = "/var/run/secrets/kube2hadoop";
/// The service account token there.
pub const IDENTITY_PATH: &str = "/var/run/secrets/kube2hadoop/token";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_lie_in_their_directories() {
        for (path, directory, name) in [
            (CREDENTIALS_PATH, DIRECTORY, CREDENTIALS),
            (CONF_PATH, DIRECTORY, CONF),
            (IDENTITY_PATH, IDENTITY_DIRECTORY, "token"),
        ] {
            assert_eq!(path, format!("{directory}/{name}"));
        }
    }
}
