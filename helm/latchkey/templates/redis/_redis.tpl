{{- define "latchkey.redisConf" -}}
port 6379
dir /data
cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout {{ int .Values.redis.cluster.nodeTimeoutMs }}
# One lost shard is no reason to stop the others.
cluster-require-full-coverage no
appendonly yes
appendfsync everysec
maxmemory {{ .Values.redis.cluster.maxmemory }}
# An evicting Redis logs people out at random.
maxmemory-policy noeviction
{{- with .Values.redis.cluster.extraConfig }}
{{ . }}
{{- end }}
{{- end -}}

{{- define "latchkey.redisEnv" -}}
- {name: NODES, value: {{ include "latchkey.redisNodes" . | quote }}}
- {name: REPLICAS, value: {{ .Values.redis.cluster.replicasPerPrimary | quote }}}
- {name: REDIS_PASSWORD_FILE, value: /etc/redis-secret/password}
{{- end -}}

{{- define "latchkey.redisSecretVolume" -}}
- name: secret
  secret:
    secretName: {{ include "latchkey.secretName" (dict "root" . "of" .Values.redis.password) }}
    defaultMode: 0440
    items:
      - {key: {{ ternary .Values.redis.password.key "redis-password" (ne .Values.redis.password.existingSecret "") }}, path: password}
- name: config
  configMap:
    name: {{ include "latchkey.redisName" . }}
{{- end -}}

{{- /* The image's own user is 999. */ -}}
{{- define "latchkey.redisPodSecurity" -}}
runAsNonRoot: true
runAsUser: 999
runAsGroup: 999
fsGroup: 999
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "latchkey.redisSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "latchkey.setupSpec" -}}
backoffLimit: 10
activeDeadlineSeconds: 1800
template:
  metadata:
    labels:
      {{- include "latchkey.selector" (dict "root" . "component" "redis-setup") | nindent 6 }}
  spec:
    {{- with include "latchkey.pullSecrets" . }}
    {{- . | nindent 4 }}
    {{- end }}
    restartPolicy: OnFailure
    automountServiceAccountToken: false
    enableServiceLinks: false
    securityContext:
      {{- include "latchkey.redisPodSecurity" . | nindent 6 }}
    containers:
      - name: setup
        image: {{ include "latchkey.image" (dict "root" . "image" .Values.redis.cluster.image) | quote }}
        imagePullPolicy: {{ .Values.redis.cluster.image.pullPolicy }}
        command: [/bin/sh, /opt/redis-cluster/redis-cluster.sh, setup]
        env:
          {{- include "latchkey.redisEnv" . | nindent 10 }}
        resources:
          requests: {cpu: 10m, memory: 32Mi}
          limits: {memory: 128Mi}
        securityContext:
          {{- include "latchkey.redisSecurity" . | nindent 10 }}
        volumeMounts:
          - {name: config, mountPath: /opt/redis-cluster, readOnly: true}
          - {name: secret, mountPath: /etc/redis-secret, readOnly: true}
    volumes:
      {{- include "latchkey.redisSecretVolume" . | nindent 6 }}
    {{- with .Values.redis.cluster.nodeSelector }}
    nodeSelector:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .Values.redis.cluster.tolerations }}
    tolerations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
