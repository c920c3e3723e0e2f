{{- /* What the chart decides of latchkeyd's configuration. */ -}}
{{- define "latchkey.ownConfig" -}}
listen:
  - url: {{ printf "%s://%s:7373" (ternary "tls+tcp" "tcp" .Values.tls.enabled) .Values.listenAddress | quote }}
    {{- if .Values.tls.enabled }}
    tls:
      cert: /etc/latchkey/tls/tls.crt
      key: /etc/latchkey/tls/tls.key
      {{- if .Values.tls.clientAuth }}
      client_ca: /etc/latchkey/tls/ca.crt
      {{- end }}
    {{- end }}
admin:
  listen: {{ printf "http://%s:%d" .Values.listenAddress (int .Values.admin.port) | quote }}
credentials: /etc/latchkey/credentials/credentials
{{- if include "latchkey.hasKeyring" . }}
keyring: /etc/latchkey/keyring/keyring
{{- end }}
state_dir: /var/lib/latchkey/state
redis:
  url: {{ include "latchkey.redisUrl" . | quote }}
  {{- if and (eq .Values.redis.mode "external") .Values.redis.user }}
  user: {{ .Values.redis.user | quote }}
  {{- end }}
  {{- if and (ne .Values.redis.mode "embedded") (include "latchkey.has" .Values.redis.password) }}
  password_file: /etc/latchkey/redis/password
  {{- end }}
  {{- if eq .Values.redis.mode "external" }}
  {{- with .Values.redis.sentinel.user }}
  sentinel_user: {{ . | quote }}
  {{- end }}
  {{- if include "latchkey.has" .Values.redis.sentinel.password }}
  sentinel_password_file: /etc/latchkey/redis/sentinel-password
  {{- end }}
  {{- end }}
  {{- if include "latchkey.redisIsTls" . }}
  tls_ca: /etc/latchkey/redis-tls/ca.crt
  {{- if .Values.redis.tls.certKey }}
  tls_cert: /etc/latchkey/redis-tls/tls.crt
  tls_key: /etc/latchkey/redis-tls/tls.key
  {{- end }}
  {{- with .Values.redis.tls.serverName }}
  tls_server_name: {{ . | quote }}
  {{- end }}
  {{- end }}
{{- end -}}

{{- define "latchkey.config" -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) (include "latchkey.ownConfig" . | fromYaml)) -}}
{{- end -}}
