{{- define "latchkey.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 40 characters: names of pods, volumes and jobs add to it, and end at 63. */ -}}
{{- define "latchkey.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "latchkey.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "latchkey.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What selectors hold: never anything that an upgrade may change. Takes {root, component}. */ -}}
{{- define "latchkey.selector" -}}
app.kubernetes.io/name: {{ include "latchkey.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "latchkey.ownLabels" -}}
{{ include "latchkey.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "latchkey.labels" -}}
{{ include "latchkey.ownLabels" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Takes {root, component, name, annotations, labels}. */ -}}
{{- define "latchkey.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "latchkey.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Takes {root, image}. */ -}}
{{- define "latchkey.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "latchkey.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "latchkey.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- /* The Secret that holds one thing: theirs, or the chart's. Takes {root, of}. */ -}}
{{- define "latchkey.secretName" -}}
{{ .of.existingSecret | default (include "latchkey.fullname" .root) }}
{{- end -}}

{{- /* "true" where a Secret has it. */ -}}
{{- define "latchkey.has" -}}
{{- if or .existingSecret .value -}}true{{- end -}}
{{- end -}}

{{- define "latchkey.hasKeyring" -}}
{{- include "latchkey.has" .Values.keyring -}}
{{- end -}}

{{- define "latchkey.minReplicas" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.minReplicas }}{{- else -}}{{ .Values.replicas }}{{- end -}}
{{- end -}}

{{- define "latchkey.redisName" -}}
{{ include "latchkey.fullname" . }}-redis
{{- end -}}

{{- /* Of the nodes that the chart runs: host:port, with blanks between. */ -}}
{{- define "latchkey.redisNodes" -}}
{{- $name := include "latchkey.redisName" . -}}
{{- $nodes := list -}}
{{- range $i := until (int .Values.redis.cluster.nodes) -}}
{{- $nodes = append $nodes (printf "%s-%d.%s-headless.%s.svc:6379" $name $i $name $.Release.Namespace) -}}
{{- end -}}
{{- join " " $nodes -}}
{{- end -}}

{{- define "latchkey.redisUrl" -}}
{{- if eq .Values.redis.mode "cluster" -}}
{{- /* Six are enough to find the others, and a URL has 2000 bytes. */ -}}
redis+cluster://{{ $nodes := include "latchkey.redisNodes" . | splitList " " }}{{ slice $nodes 0 (min 6 (len $nodes)) | join "," }}
{{- else if eq .Values.redis.mode "embedded" -}}
embedded:
{{- else -}}
{{ .Values.redis.url }}
{{- end -}}
{{- end -}}

{{- define "latchkey.redisIsTls" -}}
{{- if and (eq .Values.redis.mode "external") (hasPrefix "rediss" .Values.redis.url) -}}true{{- end -}}
{{- end -}}

{{- define "latchkey.headlessName" -}}
{{ include "latchkey.fullname" . }}-headless
{{- end -}}

{{- /* For callers inside the cluster. */ -}}
{{- define "latchkey.serverUrl" -}}
{{ ternary "tls+tcp" "tcp" .Values.tls.enabled }}://{{ include "latchkey.fullname" . }}.{{ .Release.Namespace }}.svc:{{ .Values.service.port }}
{{- end -}}

{{- define "latchkey.pullSecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Of an external Redis: those of its URL, the usual ones, and those that are named. A JSON list. */ -}}
{{- define "latchkey.redisPorts" -}}
{{- $ports := list 6379 -}}
{{- if contains "+sentinel:" .Values.redis.url -}}{{- $ports = append $ports 26379 -}}{{- end -}}
{{- range regexFindAll ":[0-9]+" .Values.redis.url -1 -}}{{- $ports = append $ports (trimPrefix ":" . | int) -}}{{- end -}}
{{- range .Values.networkPolicy.redisPorts -}}{{- $ports = append $ports (int .) -}}{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}
