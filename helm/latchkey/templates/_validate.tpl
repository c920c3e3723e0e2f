{{- /* What no schema can tell. Each mistake is a sentence that names the value and the remedy. */ -}}
{{- define "latchkey.validate" -}}
{{- include "latchkey.validateNames" . -}}
{{- include "latchkey.validateConfig" . -}}
{{- include "latchkey.validateSecrets" . -}}
{{- include "latchkey.validateContents" . -}}
{{- include "latchkey.validateRedis" . -}}
{{- include "latchkey.validateReplicas" . -}}
{{- include "latchkey.validateBudget" . -}}
{{- include "latchkey.validateGrace" . -}}
{{- end -}}

{{- define "latchkey.validateNames" -}}
{{- $name := include "latchkey.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "the release %s makes %s the name of Services, and such a name begins with a letter and has no dots: choose another release name, or set fullnameOverride" .Release.Name $name) -}}
{{- end -}}
{{- $own := include "latchkey.ownLabels" (dict "root" . "component" "service") | fromYaml -}}
{{- range $of, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "metrics.serviceMonitor.labels" .Values.metrics.serviceMonitor.labels "metrics.prometheusRule.labels" .Values.metrics.prometheusRule.labels "metrics.dashboard.labels" .Values.metrics.dashboard.labels -}}
{{- range $label := keys $own | sortAlpha -}}
{{- if hasKey $labels $label -}}
{{- fail (printf "%s: %s is the chart's own, and selectors go by it: choose another label" $of $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq (int .Values.admin.port) 7373 -}}
{{- fail "admin.port is 7373, where the pod listens for callers: choose another" -}}
{{- end -}}
{{- end -}}

{{- define "latchkey.validateConfig" -}}
{{- $instead := dict "listen" "service.port, listenAddress and tls" "keyring" "keyring.existingSecret" "credentials" "credentials.existingSecret" "state_dir" "redis.embedded.persistence" -}}
{{- range $key, $value := $instead -}}
{{- if hasKey $.Values.config $key -}}
{{- fail (printf "config.%s: the chart decides this; use %s" $key $value) -}}
{{- end -}}
{{- end -}}
{{- $instead = dict "url" "redis.url" "user" "redis.user" "password_file" "redis.password.existingSecret" "sentinel_user" "redis.sentinel.user" "sentinel_password_file" "redis.sentinel.password.existingSecret" "tls_ca" "redis.tls.existingSecret" "tls_cert" "redis.tls.certKey" "tls_key" "redis.tls.keyKey" "tls_server_name" "redis.tls.serverName" -}}
{{- range $key, $value := $instead -}}
{{- if hasKey ($.Values.config.redis | default dict) $key -}}
{{- fail (printf "config.redis.%s: the chart decides this; use %s" $key $value) -}}
{{- end -}}
{{- end -}}
{{- if hasKey (.Values.config.admin | default dict) "listen" -}}
{{- fail "config.admin.listen: the chart decides this; use admin.port and listenAddress" -}}
{{- end -}}
{{- end -}}

{{- /* Takes {of, name, remedy}: one of existingSecret and value. */ -}}
{{- define "latchkey.validateOne" -}}
{{- if and .of.existingSecret .of.value -}}
{{- fail (printf "%s: existingSecret and value are both set; keep one" .name) -}}
{{- end -}}
{{- if and .needed (not (include "latchkey.has" .of)) -}}
{{- fail (printf "%s.existingSecret is not set: %s" .name .remedy) -}}
{{- end -}}
{{- end -}}

{{- define "latchkey.validateSecrets" -}}
{{- $release := include "latchkey.fullname" . -}}
{{- include "latchkey.validateOne" (dict "name" "keyring" "of" .Values.keyring "needed" (ne .Values.redis.mode "embedded") "remedy" (printf "make the secret keys once, with `latchkeyd --new-keyring keyring`, back them up, and `kubectl create secret generic %s-keyring --from-file=keyring`; the chart never makes them, for new ones would log everybody out" $release)) -}}
{{- include "latchkey.validateOne" (dict "name" "credentials" "of" .Values.credentials "needed" true "remedy" (printf "nothing else tells callers apart. Write the file of callers with `latchkey credential new ID --role ROLE`, and `kubectl create secret generic %s-credentials --from-file=credentials`" $release)) -}}
{{- include "latchkey.validateOne" (dict "name" "redis.password" "of" .Values.redis.password "needed" (eq .Values.redis.mode "cluster") "remedy" (printf "the Redis Cluster that the chart runs wants a password: `kubectl create secret generic %s-redis --from-literal=redis-password=$(openssl rand -hex 24)`" $release)) -}}
{{- include "latchkey.validateOne" (dict "name" "redis.sentinel.password" "of" .Values.redis.sentinel.password "needed" (ne .Values.redis.sentinel.user "") "remedy" "redis.sentinel.user is set, and needs a password") -}}
{{- with .Values.tls -}}
{{- if and (not .enabled) (or .existingSecret .cert .certPrivateKey .ca) -}}
{{- fail "tls: a certificate is named, but tls.enabled is false, and callers would be served in the clear: set tls.enabled=true, or remove it" -}}
{{- end -}}
{{- if and .enabled .existingSecret (or .cert .certPrivateKey .ca) -}}
{{- fail "tls: existingSecret and cert, certPrivateKey or ca are both set; keep one" -}}
{{- end -}}
{{- if and .enabled (not .existingSecret) (not (and .cert .certPrivateKey)) -}}
{{- fail "tls.existingSecret is not set: name a Secret of type kubernetes.io/tls, or set tls.cert and tls.certPrivateKey, or tls.enabled=false" -}}
{{- end -}}
{{- if and .clientAuth (not .enabled) -}}
{{- fail "tls.clientAuth needs tls.enabled" -}}
{{- end -}}
{{- if and .clientAuth (not .existingSecret) (not .ca) -}}
{{- fail "tls.clientAuth needs tls.ca: the authority that signs callers' certificates" -}}
{{- end -}}
{{- if and .clientAuth .existingSecret (not .caKey) -}}
{{- fail "tls.clientAuth needs tls.caKey: where in the Secret the authority is that signs callers' certificates" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Of what is given to the chart itself: else the pods would refuse it, and wait. */ -}}
{{- define "latchkey.validateContents" -}}
{{- with .Values.keyring.value -}}
{{- if not (and (regexMatch "(?m)^names\\s+[-_A-Za-z0-9]{43}\\s*$" .) (regexMatch "(?m)^[0-9]+\\s+[-_A-Za-z0-9]{43}\\s*$" .)) -}}
{{- fail "keyring.value is no keyring, which has a line of names and one of a key or more: `latchkeyd --new-keyring keyring` writes one, and --set-file keyring.value=keyring hands it over" -}}
{{- end -}}
{{- end -}}
{{- with .Values.credentials.value -}}
{{- if not (and (regexMatch "(?m)^role\\s+\\S+\\s+\\S+\\s+\\S+" .) (regexMatch "(?m)^caller\\s+\\S+\\s+\\S{43}\\s+\\S+" .)) -}}
{{- fail "credentials.value names no role or no caller, so that nobody could call: `latchkey credential new ID --role ROLE` prints a caller's line, and a role's is: role ROLE METHODS REALMS" -}}
{{- end -}}
{{- end -}}
{{- $pem := dict "tls.cert" (list .Values.tls.cert "CERTIFICATE") "tls.certPrivateKey" (list .Values.tls.certPrivateKey "PRIVATE KEY") "tls.ca" (list .Values.tls.ca "CERTIFICATE") -}}
{{- range $name, $of := $pem -}}
{{- if and (index $of 0) (not (regexMatch (printf "-----BEGIN ([A-Z]+ )?%s-----" (index $of 1)) (index $of 0))) -}}
{{- fail (printf "%s is no PEM: it has no line -----BEGIN %s-----; --set-file %s=FILE hands a file over" $name (index $of 1) $name) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.redis.mode "cluster") .Values.redis.password.value (not (regexMatch "^[A-Za-z0-9._~-]+$" .Values.redis.password.value)) -}}
{{- fail "redis.password.value may hold letters, digits and . _ ~ - only, which redis.conf takes as they are: make another, such as by openssl rand -hex 24" -}}
{{- end -}}
{{- end -}}

{{- define "latchkey.validateRedis" -}}
{{- with .Values.redis -}}
{{- if and (eq .mode "external") (not .url) -}}
{{- fail "redis.url is not set, and redis.mode is external: say where Redis is, such as redis+cluster://host1,host2, or choose redis.mode=cluster" -}}
{{- end -}}
{{- if and (ne .mode "external") .url -}}
{{- fail (printf "redis.url is set, but redis.mode is %s; remove it, or set redis.mode=external" .mode) -}}
{{- end -}}
{{- if and (ne .mode "external") .user -}}
{{- fail (printf "redis.user is set, but redis.mode is %s, which has no users; remove it, or set redis.mode=external" .mode) -}}
{{- end -}}
{{- if and (or .sentinel.user (include "latchkey.has" .sentinel.password)) (not (contains "+sentinel:" .url)) -}}
{{- fail "redis.sentinel is set, but redis.url names no Sentinels: remove it, or use redis+sentinel://host1,host2,host3/name" -}}
{{- end -}}
{{- if and (ne .mode "external") (or $.Values.networkPolicy.redis $.Values.networkPolicy.redisPorts) -}}
{{- fail (printf "networkPolicy.redis and redisPorts are for an external Redis, but redis.mode is %s; remove them" .mode) -}}
{{- end -}}
{{- if and (ne .mode "embedded") .embedded.persistence.existingClaim -}}
{{- fail (printf "redis.embedded.persistence.existingClaim is set, but redis.mode is %s; remove it, or set redis.mode=embedded" .mode) -}}
{{- end -}}
{{- if and (eq .mode "embedded") (include "latchkey.has" .password) -}}
{{- fail "redis.password is set, but redis.mode is embedded, which has no accounts; remove it" -}}
{{- end -}}
{{- if regexMatch "^[a-z+]+://[^/@]*:[^/@]*@" .url -}}
{{- fail "redis.url holds a password, which would stand in a ConfigMap: put it in redis.password.existingSecret" -}}
{{- end -}}
{{- if and (include "latchkey.redisIsTls" $) (not .tls.existingSecret) -}}
{{- fail "redis.tls.existingSecret is not set, and redis.url is rediss: name the Secret with the authority that signs Redis's certificates" -}}
{{- end -}}
{{- if and .tls.existingSecret (not (include "latchkey.redisIsTls" $)) -}}
{{- fail "redis.tls.existingSecret is set, but redis.url is not rediss; one of them is a mistake" -}}
{{- end -}}
{{- if ne (empty .tls.certKey) (empty .tls.keyKey) -}}
{{- fail "redis.tls.certKey and redis.tls.keyKey belong together" -}}
{{- end -}}
{{- if eq .mode "cluster" -}}
{{- $shard := add .cluster.replicasPerPrimary 1 | int -}}
{{- if or (lt (div (int .cluster.nodes) $shard) 3) (ne (mod (int .cluster.nodes) $shard) 0) -}}
{{- fail (printf "redis.cluster.nodes is %d and replicasPerPrimary %d: a Redis Cluster needs three primaries or more, so nodes is a multiple of %d, and at least %d" (int .cluster.nodes) (int .cluster.replicasPerPrimary) $shard (mul 3 $shard)) -}}
{{- end -}}
{{- $decided := regexFind "(?mi)^\\s*(port|dir|requirepass|masterauth|cluster-enabled|cluster-config-file|cluster-announce-ip|cluster-node-timeout|appendonly|maxmemory|maxmemory-policy)\\s" .cluster.extraConfig | trim -}}
{{- if $decided -}}
{{- fail (printf "redis.cluster.extraConfig sets %s, which the chart decides: use the values of redis.cluster. Redis must never evict, for that would log people out at random" $decided) -}}
{{- end -}}
{{- $limit := dig "limits" "memory" "" .cluster.resources -}}
{{- $needed := include "latchkey.bytes" .cluster.maxmemory | float64 -}}
{{- if and $limit (or (eq $needed 0.0) (ge $needed (include "latchkey.bytes" $limit | float64))) -}}
{{- fail (printf "redis.cluster.maxmemory is %s, and a container of %v would be killed before Redis refuses writes: leave it a third for fork and buffers, or raise redis.cluster.resources.limits.memory" .cluster.maxmemory $limit) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Of Redis's sizes and of Kubernetes' quantities. */ -}}
{{- define "latchkey.bytes" -}}
{{- if kindIs "string" . -}}
{{- $factors := dict "kb" 1024 "mb" 1048576 "gb" 1073741824 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "" 1 -}}
{{- printf "%.0f" (mulf (regexFind "^[0-9.]+" . | float64) (get $factors (regexReplaceAll "^[0-9.]+" . "") | default 1 | float64)) -}}
{{- else -}}
{{- printf "%.0f" (float64 .) -}}
{{- end -}}
{{- end -}}

{{- define "latchkey.validateReplicas" -}}
{{- $min := include "latchkey.minReplicas" . | int -}}
{{- if eq .Values.redis.mode "embedded" -}}
{{- if or .Values.autoscaling.enabled (gt $min 1) -}}
{{- fail "redis.mode is embedded, which is a store inside one pod: set replicas=1 and autoscaling.enabled=false, or choose redis.mode=cluster or external" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt $min (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is over autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not (dig "requests" "cpu" "" .Values.resources)) -}}
{{- fail "autoscaling.enabled needs resources.requests.cpu, of which targetCPUUtilizationPercentage is a share" -}}
{{- end -}}
{{- $rolling := .Values.updateStrategy.rollingUpdate | default dict -}}
{{- if and (eq .Values.updateStrategy.type "RollingUpdate") (regexMatch "^0+%?$" (get $rolling "maxSurge" | toString)) (regexMatch "^0+%?$" (get $rolling "maxUnavailable" | toString)) -}}
{{- fail "updateStrategy.rollingUpdate: with maxSurge and maxUnavailable both 0 no pod could ever be replaced: use maxSurge=1" -}}
{{- end -}}
{{- end -}}

{{- define "latchkey.validateBudget" -}}
{{- $min := include "latchkey.minReplicas" . | int -}}
{{- with .Values.podDisruptionBudget -}}
{{- if .enabled -}}
{{- if and (not (kindIs "invalid" .minAvailable)) (not (kindIs "invalid" .maxUnavailable)) -}}
{{- fail "podDisruptionBudget: minAvailable and maxUnavailable are both set; set maxUnavailable=null to use minAvailable" -}}
{{- end -}}
{{- $blocks := regexMatch "^0+%?$" (toString .maxUnavailable) -}}
{{- if not (kindIs "invalid" .minAvailable) -}}
{{- $stay := toString .minAvailable -}}
{{- /* Kubernetes rounds a share up. */ -}}
{{- $stay = ternary (div (add (mul $min (trimSuffix "%" $stay | atoi)) 99) 100) (atoi $stay) (hasSuffix "%" $stay) -}}
{{- $blocks = or $blocks (ge (int $stay) $min) -}}
{{- end -}}
{{- if $blocks -}}
{{- fail (printf "podDisruptionBudget would let no pod of %d go, and block every drain of a node for ever: use maxUnavailable=1, or minAvailable below the replicas" $min) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "latchkey.validateGrace" -}}
{{- $drain := .Values.config.drain | default dict -}}
{{- $delay := get $drain "delay_ms" | default 0 | int -}}
{{- $timeout := 10000 -}}
{{- if hasKey $drain "timeout_ms" -}}{{- $timeout = get $drain "timeout_ms" | int -}}{{- end -}}
{{- $needed := add (int .Values.preStopSleepSeconds) (div (add $delay $timeout 999) 1000) 10 | int -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) $needed -}}
{{- fail (printf "terminationGracePeriodSeconds is %d: a pod needs preStopSleepSeconds, config.drain.delay_ms and timeout_ms, and 10 s to end, which is %d; raise it, or shorten them" (int .Values.terminationGracePeriodSeconds) $needed) -}}
{{- end -}}
{{- end -}}
