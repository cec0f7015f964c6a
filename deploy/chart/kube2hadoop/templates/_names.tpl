{{- define "kube2hadoop.labels" -}}
app.kubernetes.io/name: kube2hadoop
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Of a pair (component, root): what Deployments, Services and policies select by. */}}
{{- define "kube2hadoop.selector" -}}
app.kubernetes.io/name: kube2hadoop
app.kubernetes.io/instance: {{ (index . 1).Release.Name }}
app.kubernetes.io/component: {{ index . 0 }}
{{- end }}

{{/* Of a pair (component, root). A digest names an image by itself. */}}
{{- define "kube2hadoop.image" -}}
{{- $root := index . 1 -}}
{{- $image := $root.Values.image -}}
{{- $name := index $image (index . 0) -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $name }}
{{- if not (contains "@" $name) }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "kube2hadoop.ledgerNamespace" -}}
{{ .Values.ledger.namespace | default (printf "%s-ledger" .Release.Namespace) }}
{{- end }}

{{/* What the webhook is never called for. Anybody may write anything on pods there, so nothing there gets a token. */}}
{{- define "kube2hadoop.excludedNamespaces" -}}
{{- concat (list "kube-system" .Release.Namespace (include "kube2hadoop.ledgerNamespace" .)) .Values.webhook.excludedNamespaces | uniq | toJson }}
{{- end }}

{{/* Besides the built-in ones; the fetcher knows its own name by itself. */}}
{{- define "kube2hadoop.deny" -}}
{{- $own := .Values.hadoop.principal | regexFind "^[^/@]+" -}}
{{- concat .Values.identity.deny (list $own) | compact | uniq | toJson -}}
{{- end }}

{{- define "kube2hadoop.hadoopConfName" -}}
{{ .Values.hadoop.conf.configMap | default "kube2hadoop-hadoop-conf" }}
{{- end }}

{{- define "kube2hadoop.krb5Name" -}}
{{ .Values.hadoop.krb5.configMap | default "kube2hadoop-krb5-conf" }}
{{- end }}

{{- define "kube2hadoop.restrictedContainer" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "kube2hadoop.restrictedPod" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Soft: two replicas on a single node are better than one. */}}
{{- define "kube2hadoop.spread" -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "kube2hadoop.selector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{- define "kube2hadoop.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  failureThreshold: 2
{{- end }}

{{/* What must be given, each with the line that says how. */}}
{{- define "kube2hadoop.require" -}}
{{- if .Values.fetcher.outside.enabled }}
{{- include "kube2hadoop.requireOutside" . }}
{{- else }}
{{- include "kube2hadoop.requireHadoop" . }}
{{- end }}
{{- if not .Values.identity.mappings }}
{{- fail "the mapping rules are missing: set identity.mappings to rules such as {match: '^(?<name>[a-z][a-z0-9]*)@example\\.com$', user: '${name}'}" }}
{{- end }}
{{- include "kube2hadoop.requireLdap" . }}
{{- with .Values.lifecycle }}
{{- $earliest := subf .renewFraction .renewSpread }}
{{- if le $earliest 0.05 }}
{{- fail (printf "lifecycle.renewFraction %v less renewSpread %v leaves no time to renew: the difference must be more than 0.05, as with 0.7 and 0.2" .renewFraction .renewSpread) }}
{{- end }}
{{- end }}
{{- if eq (include "kube2hadoop.ledgerNamespace" .) .Release.Namespace }}
{{- fail "ledger.namespace is the release namespace: the fetcher's rights on the ledger would reach the CA and the signing keys; choose another" }}
{{- end }}
{{- end }}

{{- define "kube2hadoop.requireOutside" -}}
{{- $outside := .Values.fetcher.outside -}}
{{- if not $outside.url }}
{{- fail "the fetcher's address is missing: set fetcher.outside.url to what pods reach it by, for example https://kube2hadoop.example.com:8443" }}
{{- end }}
{{- if not $outside.caBundle }}
{{- fail "the fetcher's CA is missing: give the one that signs its certificate with --set-file fetcher.outside.caBundle=ca.crt" }}
{{- end }}
{{- end }}

{{- define "kube2hadoop.requireHadoop" -}}
{{- $hadoop := .Values.hadoop -}}
{{- $inline := and $hadoop.conf.coreSite $hadoop.conf.hdfsSite -}}
{{- if not (or $hadoop.conf.configMap $inline) }}
{{- fail "the Hadoop configuration is missing: set hadoop.conf.configMap to a ConfigMap with core-site.xml and hdfs-site.xml, or give both files with --set-file hadoop.conf.coreSite=core-site.xml --set-file hadoop.conf.hdfsSite=hdfs-site.xml" }}
{{- end }}
{{- if and $hadoop.conf.configMap (or $hadoop.conf.coreSite $hadoop.conf.hdfsSite $hadoop.conf.yarnSite) }}
{{- fail "the Hadoop configuration is given twice: set either hadoop.conf.configMap, or hadoop.conf.coreSite, hdfsSite and yarnSite" }}
{{- end }}
{{- if not $hadoop.principal }}
{{- fail "the Kerberos principal is missing: set hadoop.principal to what `klist -k` shows for the keytab, for example kube2hadoop@EXAMPLE.COM" }}
{{- end }}
{{- if not $hadoop.keytab.secret }}
{{- fail (printf "the keytab is missing: kubectl create secret generic kube2hadoop-keytab -n %s --from-file=keytab=FILE, and set hadoop.keytab.secret=kube2hadoop-keytab" .Release.Namespace) }}
{{- end }}
{{- if not (or $hadoop.krb5.configMap $hadoop.krb5.conf) }}
{{- fail "krb5.conf is missing: set hadoop.krb5.configMap to a ConfigMap that holds it, or give the file with --set-file hadoop.krb5.conf=/etc/krb5.conf" }}
{{- end }}
{{- end }}

{{- define "kube2hadoop.requireLdap" -}}
{{- $ldap := .Values.identity.runAs.ldap -}}
{{- if and (not $ldap.urls) (or $ldap.base $ldap.filter $ldap.grantable $ldap.ca.configMap $ldap.bind.dn $ldap.bind.secret) }}
{{- fail "the LDAP servers are missing: set identity.runAs.ldap.urls, for example to [ldaps://ldap.example.com]" }}
{{- end }}
{{- if $ldap.urls }}
{{- if and (contains "ldap://" (join " " $ldap.urls)) (not $ldap.startTls) }}
{{- fail "identity.runAs.ldap.urls has ldap://, which would carry names and the password in the clear: use ldaps://, or set identity.runAs.ldap.startTls if the server has it" }}
{{- end }}
{{- if not $ldap.ca.configMap }}
{{- fail (printf "the CA of the LDAP servers is missing: kubectl create configmap ldap-ca -n %s --from-file=ca.crt=FILE, and set identity.runAs.ldap.ca.configMap=ldap-ca" .Release.Namespace) }}
{{- end }}
{{- if and $ldap.bind.dn (not $ldap.bind.secret) }}
{{- fail (printf "the password of identity.runAs.ldap.bind.dn is missing: kubectl create secret generic ldap-password -n %s --from-file=password=FILE, and set identity.runAs.ldap.bind.secret=ldap-password" .Release.Namespace) }}
{{- end }}
{{- if and $ldap.bind.secret (not $ldap.bind.dn) }}
{{- fail "identity.runAs.ldap.bind.secret is the password of nobody: set identity.runAs.ldap.bind.dn" }}
{{- end }}
{{- range $key := list "base" "filter" "grantable" }}
{{- if not (index $ldap $key) }}
{{- fail (printf "identity.runAs.ldap.%s is missing: values.yaml has examples" $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Of a pair (component, root): whom its roles are bound to. */}}
{{- define "kube2hadoop.subject" -}}
{{- $root := index . 1 -}}
{{- $outside := $root.Values.fetcher.outside -}}
{{- if and (eq (index . 0) "fetcher") $outside.enabled $outside.user -}}
{apiGroup: rbac.authorization.k8s.io, kind: User, name: {{ $outside.user | quote }}}
{{- else -}}
{kind: ServiceAccount, name: kube2hadoop-{{ index . 0 }}, namespace: {{ $root.Release.Namespace }}}
{{- end }}
{{- end }}

{{/* Both services check that the guards are in force. */}}
{{- define "kube2hadoop.guardRule" -}}
- apiGroups: [admissionregistration.k8s.io]
  resources: [validatingadmissionpolicies, validatingadmissionpolicybindings]
  resourceNames:
    - kube2hadoop-identity-is-immutable
    - kube2hadoop-code-is-the-submitters
    - kube2hadoop-token-guard
    - kube2hadoop-history-is-the-controllers
  verbs: [get]
{{- end }}
