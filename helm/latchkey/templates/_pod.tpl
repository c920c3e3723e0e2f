{{- /* Where the service finds its secrets. Whole folders, never subPath: a Secret that changes is seen. */ -}}
{{- define "latchkey.volumes" -}}
- name: config
  configMap:
    name: {{ include "latchkey.fullname" . }}
- name: credentials
  secret:
    secretName: {{ include "latchkey.secretName" (dict "root" . "of" .Values.credentials) }}
    defaultMode: 0440
    items:
      - {key: {{ ternary .Values.credentials.key "credentials" (ne .Values.credentials.existingSecret "") }}, path: credentials}
{{- if include "latchkey.hasKeyring" . }}
- name: keyring
  secret:
    secretName: {{ include "latchkey.secretName" (dict "root" . "of" .Values.keyring) }}
    defaultMode: 0440
    items:
      - {key: {{ ternary .Values.keyring.key "keyring" (ne .Values.keyring.existingSecret "") }}, path: keyring}
{{- end }}
{{- if .Values.tls.enabled }}
{{- $theirs := ne .Values.tls.existingSecret "" }}
- name: tls
  secret:
    secretName: {{ include "latchkey.secretName" (dict "root" . "of" .Values.tls) }}
    defaultMode: 0440
    items:
      - {key: {{ ternary .Values.tls.certKey "tls.crt" $theirs }}, path: tls.crt}
      - {key: {{ ternary .Values.tls.keyKey "tls.key" $theirs }}, path: tls.key}
      {{- if .Values.tls.clientAuth }}
      - {key: {{ ternary .Values.tls.caKey "ca.crt" $theirs }}, path: ca.crt}
      {{- end }}
{{- end }}
{{- include "latchkey.redisVolumes" . }}
{{- end -}}

{{- define "latchkey.redisVolumes" -}}
{{- $r := .Values.redis }}
{{- $password := and (ne $r.mode "embedded") (include "latchkey.has" $r.password) }}
{{- $sentinel := and (eq $r.mode "external") (include "latchkey.has" $r.sentinel.password) }}
{{- if or $password $sentinel }}
- name: redis
  projected:
    defaultMode: 0440
    sources:
      {{- if $password }}
      - secret:
          name: {{ include "latchkey.secretName" (dict "root" . "of" $r.password) }}
          items:
            - {key: {{ ternary $r.password.key "redis-password" (ne $r.password.existingSecret "") }}, path: password}
      {{- end }}
      {{- if $sentinel }}
      - secret:
          name: {{ include "latchkey.secretName" (dict "root" . "of" $r.sentinel.password) }}
          items:
            - {key: {{ ternary $r.sentinel.password.key "sentinel-password" (ne $r.sentinel.password.existingSecret "") }}, path: sentinel-password}
      {{- end }}
{{- end }}
{{- if include "latchkey.redisIsTls" . }}
- name: redis-tls
  secret:
    secretName: {{ $r.tls.existingSecret }}
    defaultMode: 0440
    items:
      - {key: {{ $r.tls.caKey }}, path: ca.crt}
      {{- if $r.tls.certKey }}
      - {key: {{ $r.tls.certKey }}, path: tls.crt}
      - {key: {{ $r.tls.keyKey }}, path: tls.key}
      {{- end }}
{{- end }}
{{- if eq $r.mode "embedded" }}
- name: state
  {{- if $r.embedded.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ $r.embedded.persistence.existingClaim | default (include "latchkey.fullname" .) }}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "latchkey.volumeMounts" -}}
- {name: config, mountPath: /etc/latchkey/config, readOnly: true}
- {name: credentials, mountPath: /etc/latchkey/credentials, readOnly: true}
{{- if include "latchkey.hasKeyring" . }}
- {name: keyring, mountPath: /etc/latchkey/keyring, readOnly: true}
{{- end }}
{{- if .Values.tls.enabled }}
- {name: tls, mountPath: /etc/latchkey/tls, readOnly: true}
{{- end }}
{{- $r := .Values.redis }}
{{- if or (and (ne $r.mode "embedded") (include "latchkey.has" $r.password)) (and (eq $r.mode "external") (include "latchkey.has" $r.sentinel.password)) }}
- {name: redis, mountPath: /etc/latchkey/redis, readOnly: true}
{{- end }}
{{- if include "latchkey.redisIsTls" . }}
- {name: redis-tls, mountPath: /etc/latchkey/redis-tls, readOnly: true}
{{- end }}
{{- if eq $r.mode "embedded" }}
- {name: state, mountPath: /var/lib/latchkey}
{{- end }}
{{- end -}}

{{- define "latchkey.spread" -}}
{{- if kindIs "invalid" .Values.topologySpreadConstraints }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "latchkey.selector" (dict "root" $ "component" "service") | nindent 6 }}
{{- end }}
{{- else if .Values.topologySpreadConstraints }}
{{- tpl (toYaml .Values.topologySpreadConstraints) . }}
{{- end }}
{{- end -}}

{{- define "latchkey.container" -}}
- name: latchkeyd
  image: {{ include "latchkey.image" (dict "root" . "image" .Values.image) | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [latchkeyd]
  args: [--config, /etc/latchkey/config/latchkeyd.yaml]
  {{- with .Values.extraEnv }}
  env:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  envFrom:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  ports:
    - {name: latchkey, containerPort: 7373, protocol: TCP}
    - {name: admin, containerPort: {{ .Values.admin.port }}, protocol: TCP}
  startupProbe:
    httpGet: {path: /livez, port: admin}
    {{- toYaml .Values.probes.startup | nindent 4 }}
  livenessProbe:
    httpGet: {path: /livez, port: admin}
    {{- toYaml .Values.probes.liveness | nindent 4 }}
  readinessProbe:
    httpGet: {path: /readyz, port: admin}
    {{- toYaml .Values.probes.readiness | nindent 4 }}
  {{- if and .Values.preStopSleepSeconds (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) }}
  lifecycle:
    preStop:
      sleep: {seconds: {{ .Values.preStopSleepSeconds }}}
  {{- end }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts:
    {{- include "latchkey.volumeMounts" . | nindent 4 }}
    {{- with .Values.extraVolumeMounts }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
{{- end -}}
