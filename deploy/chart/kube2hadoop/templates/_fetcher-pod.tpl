{{/* What the fetcher's process needs, shared by the Deployment and the doctor. */}}
{{- define "kube2hadoop.fetcherEnv" -}}
- {name: KRB5_CONFIG, value: {{ printf "/etc/krb5/%s" .Values.hadoop.krb5.key | quote }}}
- {name: KRB5_CLIENT_KTNAME, value: {{ printf "FILE:/etc/keytab/%s" .Values.hadoop.keytab.key | quote }}}
- {name: KRB5CCNAME, value: "MEMORY:kube2hadoop"}
{{- end }}

{{- define "kube2hadoop.fetcherMounts" -}}
- {name: config, mountPath: /etc/kube2hadoop, readOnly: true}
- {name: hadoop-conf, mountPath: /etc/hadoop/conf, readOnly: true}
- {name: krb5-conf, mountPath: /etc/krb5, readOnly: true}
- {name: keytab, mountPath: /etc/keytab, readOnly: true}
{{- end }}

{{- define "kube2hadoop.fetcherVolumes" -}}
- name: config
  projected:
    sources:
      - configMap: {name: kube2hadoop-fetcher}
      {{- with .Values.hadoop.ca }}
      {{- if .configMap }}
      - configMap:
          name: {{ .configMap }}
          items: [{key: {{ .key | quote }}, path: {{ printf "hadoop-ca/%s" .key | quote }}}]
      {{- end }}
      {{- end }}
- name: hadoop-conf
  configMap: {name: {{ include "kube2hadoop.hadoopConfName" . }}}
- name: krb5-conf
  configMap: {name: {{ include "kube2hadoop.krb5Name" . }}}
- name: keytab
  secret: {secretName: {{ .Values.hadoop.keytab.secret }}, defaultMode: 0440}
{{- end }}
