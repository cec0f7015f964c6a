{{/*
matchConditions of the registration. `namespaceObject` is empty in them, so "namespace or object" is two entries.
Pods: where their metadata is. Workloads: where the metadata of their template is. Custom resources: one condition for
each kind, made of its template paths.
*/}}
{{- define "kube2hadoop.podMetadata" -}}
object.?metadata
{{- end }}

{{- define "kube2hadoop.templateMetadata" -}}
(request.kind.kind == 'CronJob' ? object.?spec.?jobTemplate.?spec.?template.?metadata : request.kind.kind == 'PodTemplate' ? object.?template.?metadata : object.?spec.?template.?metadata)
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

{{/* All kinds with an operator: the built-in ones that the values do not replace, then the values' own. */}}
{{- define "kube2hadoop.customKinds" -}}
{{- $own := dict }}
{{- range .Values.kinds }}{{ $_ := set $own (printf "%s/%s" .group .kind) true }}{{ end }}
{{- $all := list }}
{{- range .Files.Get "kinds.yaml" | fromYamlArray }}
{{- if and (not (has .group (list "" "apps" "batch"))) (not (hasKey $own (printf "%s/%s" .group .kind))) }}
{{- $all = append $all . }}
{{- end }}
{{- end }}
{{- concat $all .Values.kinds | toJson }}
{{- end }}

{{/*
Of a list (expression, steps, depth): does anything at the path ask for Hadoop, or carry one of our keys?
`*` goes through a map's keys, `[]` through a list.
*/}}
{{- define "kube2hadoop.asksAt" -}}
{{- $at := index . 0 }}{{ $steps := index . 1 }}{{ $depth := index . 2 }}
{{- if not $steps -}}
({{ include "kube2hadoop.byObject" $at }})
{{- else if eq (first $steps) "*" -}}
{{ $at }}.orValue({}).exists(k{{ $depth }}, {{ include "kube2hadoop.asksAt" (list (printf "%s[?k%d]" $at $depth) (rest $steps) (add1 $depth | int)) }})
{{- else if eq (first $steps) "[]" -}}
{{ $at }}.orValue([]).exists(e{{ $depth }}, {{ include "kube2hadoop.asksAt" (list (printf "optional.of(e%d)" $depth) (rest $steps) (add1 $depth | int)) }})
{{- else -}}
{{ include "kube2hadoop.asksAt" (list (printf "%s.?%s" $at (first $steps)) (rest $steps) $depth) }}
{{- end }}
{{- end }}

{{/*
Of a kind: the condition under which the webhook sees it in a namespace without the label. What must always be seen is
seen when it is made and when what runs changes, so that its operator keeps its books with the webhook down, too.
*/}}
{{- define "kube2hadoop.kindAsks" -}}
{{- $parts := list (printf "!(request.kind.group == '%s' && request.kind.kind == '%s')" .group .kind) }}
{{- range .templates }}
{{- $path := . }}{{ $metadata := "metadata" }}
{{- if kindIs "map" . }}{{ $path = .path }}{{ $metadata = .metadata }}{{ end }}
{{- $steps := splitList "/" (trimPrefix "/" $path) }}
{{- if $metadata }}{{ $steps = concat $steps (splitList "/" $metadata) }}{{ end }}
{{- $parts = append $parts (include "kube2hadoop.asksAt" (list "object" $steps 0)) }}
{{- end }}
{{- if .always }}
{{- $parts = concat $parts (list "oldObject == null" "object.?spec != oldObject.?spec") }}
{{- range .alsoCode }}
{{- $at := join ".?" (splitList "/" (trimPrefix "/" .)) }}
{{- $parts = append $parts (printf "object.?%s != oldObject.?%s" $at $at) }}
{{- end }}
{{- end }}
{{- join " || " $parts }}
{{- end }}
