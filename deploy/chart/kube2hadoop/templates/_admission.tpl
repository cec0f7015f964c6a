{{/*
matchConditions of the registration. `namespaceObject` is empty in them, so "namespace or object" is two entries.
Pods: where their metadata is. Workloads: where the metadata of their template is.
*/}}
{{- define "kube2hadoop.podMetadata" -}}
object.?metadata
{{- end }}

{{- define "kube2hadoop.templateMetadata" -}}
(request.kind.kind == 'CronJob' ? object.?spec.?jobTemplate.?spec.?template.?metadata : object.?spec.?template.?metadata)
{{- end }}

{{/* Is one of our keys among the annotations? Then the webhook sees it whatever the labels say: it may be a copy. */}}
{{- define "kube2hadoop.hasKey" -}}
{{ . }}.?annotations.orValue({}).exists(k, k.startsWith('kube2hadoop.io/'))
{{- end }}

{{/* A labelled namespace: all but what says disabled. */}}
{{- define "kube2hadoop.inNamespace" -}}
{{ . }}.?labels[?'kube2hadoop.io/inject'].orValue('') != 'disabled' || {{ include "kube2hadoop.hasKey" . }}
{{- end }}

{{/* Any other: what carries the label with any value but disabled, so that a misspelt one is answered. */}}
{{- define "kube2hadoop.byObject" -}}
{{ . }}.?labels[?'kube2hadoop.io/inject'].orValue('disabled') != 'disabled' || {{ include "kube2hadoop.hasKey" . }}
{{- end }}
