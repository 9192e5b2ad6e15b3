{{/* The name of what belongs to a release. 40 characters: Kubernetes adds a hash to a StatefulSet's name in a label. */}}
{{- define "glm.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The watched namespaces, as a JSON list under "names". */}}
{{- define "glm.namespaces" -}}
{{- dict "names" (.Values.watchNamespaces | default (list .Release.Namespace)) | toJson -}}
{{- end -}}

{{/* Labels that never change, of (list $ COMPONENT): selectors and pods. A version here would restart Redis at every
     upgrade, and without a volume that loses the ledgers. */}}
{{- define "glm.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: glm
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of objects, of (list $ COMPONENT). */}}
{{- define "glm.labels" -}}
{{- $root := index . 0 -}}
{{ include "glm.selector" . }}
app.kubernetes.io/part-of: glm
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* An image by its values, of (list IMAGE DEFAULT-TAG). */}}
{{- define "glm.image" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default (index . 1)) -}}
{{- end -}}
{{- end -}}

{{/* Where pods of this chart may run, of the values of one of them. */}}
{{- define "glm.scheduling" -}}
{{- range $field := list "priorityClassName" "nodeSelector" "tolerations" "affinity" -}}
{{- with get $ $field -}}
{{ dict $field . | toYaml }}
{{ end -}}
{{- end -}}
{{- end -}}

{{/* What the restricted profile asks of each container, and a root file system that nobody writes. */}}
{{- define "glm.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
{{- end -}}

{{/* Refuses what the schema cannot say in plain words. */}}
{{- define "glm.validate" -}}
{{- $builtin := .Values.redis.builtin.enabled -}}
{{- $external := .Values.redis.external.existingSecret -}}
{{- if and $builtin $external -}}
{{- fail (printf "redis: both are set: redis.builtin.enabled=true and redis.external.existingSecret=%q. Ledgers live in one Redis: set redis.builtin.enabled=false to use the Secret's, or leave redis.external.existingSecret empty" $external) -}}
{{- end -}}
{{- if not (or $builtin $external) -}}
{{- fail "redis: none is set. Set redis.builtin.enabled=true, or redis.external.existingSecret to the name of a Secret that holds the address of yours" -}}
{{- end -}}
{{- end -}}
