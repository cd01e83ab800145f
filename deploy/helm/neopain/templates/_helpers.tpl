{{/* First part of every name. */}}
{{- define "neopain.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels that tell one component of one release from all others. Takes root and name. */}}
{{- define "neopain.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{/* Labels of an object. Takes root and name. */}}
{{- define "neopain.labels" -}}
{{ include "neopain.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* Name and labels of an object of a component. Takes root and name. */}}
{{- define "neopain.metadata" -}}
name: {{ include "neopain.fullname" .root }}-{{ .name }}
labels:
  {{- include "neopain.labels" . | nindent 2 }}
{{- end -}}

{{/* An image by digest where there is one, else by tag. Takes root and the image's values. */}}
{{- define "neopain.image" -}}
{{- $repository := .image.repository -}}
{{- with .root.Values.images.registry -}}{{- $repository = printf "%s/%s" . $repository -}}{{- end -}}
{{- if .image.digest -}}
{{ $repository }}@{{ .image.digest }}
{{- else -}}
{{ $repository }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end -}}
{{- end -}}

{{/* What every container may not do. */}}
{{- define "neopain.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* What all pods have in common. Takes root, name, grace (seconds), and priority (a class or ""). */}}
{{- define "neopain.pod" -}}
serviceAccountName: {{ include "neopain.serviceAccount" .root }}
automountServiceAccountToken: false
# Service links would put NEOPAIN_INGEST_HL7_PORT=tcp://... and the like into the settings.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .priority }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range .root.Values.topologyKeys }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "neopain.selector" $ | nindent 8 }}
  {{- end }}
{{- end -}}

{{- define "neopain.serviceAccount" -}}
{{- default (ternary (include "neopain.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{/* Priority class of what must go on when nodes are short, and of the rest: objects of the cluster, so that the namespace is
     in their names. */}}
{{- define "neopain.priority.first" -}}
{{- if .Values.priorityClasses.create }}{{ .Release.Namespace }}-{{ include "neopain.fullname" . }}-first{{ else }}{{ .Values.priorityClasses.first }}{{ end -}}
{{- end -}}
{{- define "neopain.priority.second" -}}
{{- if .Values.priorityClasses.create }}{{ .Release.Namespace }}-{{ include "neopain.fullname" . }}-second{{ else }}{{ .Values.priorityClasses.second }}{{ end -}}
{{- end -}}

{{/* One variable from the secret of the connections. Takes root, variable, and which of its keys. */}}
{{- define "neopain.fromSecret" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ required "connections.existingSecret is empty: name the secret with the URLs (docs/operations.md)" .root.Values.connections.existingSecret }}
      key: {{ index .root.Values.connections.keys .key }}
{{- end -}}

{{/* Further settings, as variables. Takes prefix and a list of maps; a later one wins. */}}
{{- define "neopain.settings" -}}
{{- $merged := dict -}}
{{- range .settings -}}{{- $merged = mergeOverwrite $merged (deepCopy (default dict .)) -}}{{- end -}}
{{- range $name := keys $merged | sortAlpha }}
{{- $value := get $merged $name }}
- name: {{ $.prefix }}{{ $name }}
  value: {{ include "neopain.text" $value | quote }}
{{- end }}
{{- end -}}

{{/* Where bus and media are: servers of this release, or URLs in the secret. */}}
{{- define "neopain.busEnvironment" -}}
{{- if .Values.bus.deploy }}
{{ include "neopain.fromSecret" (dict "root" . "variable" "BUS_PASSWORD" "key" "busPassword") }}
- name: NEOPAIN_BUS_URL
  value: redis://:$(BUS_PASSWORD)@{{ include "neopain.fullname" . }}-bus:6379/0
{{- else }}
{{ include "neopain.fromSecret" (dict "root" . "variable" "NEOPAIN_BUS_URL" "key" "busUrl") }}
{{- end }}
{{- if .Values.media.deploy }}
{{ include "neopain.fromSecret" (dict "root" . "variable" "MEDIA_PASSWORD" "key" "mediaPassword") }}
- name: NEOPAIN_BUS_MEDIA_URLS
  {{- $urls := list }}
  {{- range $shard := until (int .Values.media.shards) }}
  {{- $urls = append $urls (printf "redis://:$(MEDIA_PASSWORD)@%s-media-%d.%s-media:6379/0" (include "neopain.fullname" $) $shard (include "neopain.fullname" $)) }}
  {{- end }}
  value: {{ toJson $urls | quote }}
{{- else }}
{{ include "neopain.fromSecret" (dict "root" . "variable" "NEOPAIN_BUS_MEDIA_URLS" "key" "mediaUrls") }}
{{- end }}
- name: NEOPAIN_BUS_NAMESPACE
  value: {{ .Values.bus.namespace | quote }}
{{- end -}}

{{/* Where the broker is: a URL of its own in the secret, or the bus. */}}
{{- define "neopain.brokerEnvironment" -}}
{{- if .Values.connections.ownBroker }}
{{ include "neopain.fromSecret" (dict "root" . "variable" "NEOPAIN_CHARTING_BROKER_URL" "key" "brokerUrl") }}
{{- else if .Values.bus.deploy }}
{{ include "neopain.fromSecret" (dict "root" . "variable" "BUS_PASSWORD" "key" "busPassword") }}
- name: NEOPAIN_CHARTING_BROKER_URL
  value: redis://:$(BUS_PASSWORD)@{{ include "neopain.fullname" . }}-bus:6379/0
{{- else }}
{{ include "neopain.fromSecret" (dict "root" . "variable" "NEOPAIN_CHARTING_BROKER_URL" "key" "busUrl") }}
{{- end }}
{{- end -}}

{{/* The probes' port and the log, of a process of a service. Takes root, service, port. */}}
{{- define "neopain.httpEnvironment" -}}
- name: NEOPAIN_{{ upper .service }}_HTTP_HOST
  value: "0.0.0.0"
- name: NEOPAIN_{{ upper .service }}_HTTP_PORT
  value: {{ .port | quote }}
{{- end -}}

{{/* Probes of a process of a service. Takes port (its name). /live answers once the process runs, /ready when it takes
     work: a server that is away makes a pod unready and never has it killed. */}}
{{- define "neopain.probes" -}}
startupProbe:
  httpGet: { path: /live, port: {{ .port }} }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /live, port: {{ .port }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /ready, port: {{ .port }} }
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/* Keeps an ending pod serving until the balancers have been told. */}}
{{- define "neopain.preStop" -}}
lifecycle:
  preStop: { sleep: { seconds: {{ .Values.preStopSeconds }} } }
{{- end -}}

{{/* Grace of a pod: the pause before SIGTERM, its drain, and a margin to end in. Takes root and drain. */}}
{{- define "neopain.grace" -}}
{{ add (int .root.Values.preStopSeconds) (int (ceil .drain)) 10 }}
{{- end -}}

{{/* What every pod has: a folder in memory for what a process writes beside its data, and the site's authorities. */}}
{{- define "neopain.tmpVolume" -}}
- name: tmp
  emptyDir: { medium: Memory, sizeLimit: 64Mi }
{{- with .Values.connections.caSecret }}
- name: trust
  secret: { secretName: {{ . }}, defaultMode: 0440 }
{{- end }}
{{- end -}}

{{/* Certificate, key and authorities of a door, from its secret. Takes root, prefix, secret, hasClientCa. */}}
{{- define "neopain.tlsEnvironment" -}}
- name: {{ .prefix }}_CERTIFICATE
  value: /etc/neopain/tls/tls.crt
- name: {{ .prefix }}_KEY
  value: /etc/neopain/tls/tls.key
{{- if .clientCa }}
- name: {{ .prefix }}_CLIENT_CA
  value: /etc/neopain/tls/ca.crt
{{- end }}
{{- end -}}

{{/* The files of the site. */}}
{{- define "neopain.siteVolume" -}}
- name: site
  configMap: { name: {{ include "neopain.fullname" . }}-site }
{{- end -}}

{{/* Restarts pods when the site's files change: they are read at the start. */}}
{{- define "neopain.siteChecksum" -}}
checksum/site: {{ toJson .Values.files | sha256sum }}
{{- end -}}

{{/* What of the model repository a pod mounts: nothing where the image brings it. */}}
{{- define "neopain.modelVolume" -}}
{{- with .Values.scoring.model.existingClaim }}
- name: model
  persistentVolumeClaim: { claimName: {{ . }}, readOnly: true }
{{- end }}
{{- end -}}
{{- define "neopain.modelMount" -}}
{{- if .Values.scoring.model.existingClaim }}
- name: model
  mountPath: {{ .Values.scoring.model.path }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* The container of one process of one service. Takes root, service, part, image (values), env, and where wanted name,
     args, port (9090), ports, mounts, volumes of its own, resources, hasPause. */}}
{{- define "neopain.container" -}}
{{- $port := default 9090 .port -}}
- name: {{ default (printf "%s-%s" .service .part) .name }}
  image: {{ include "neopain.image" (dict "root" .root "image" .root.Values.images.services) }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  command: [python, -m, neopain, {{ .service }}, {{ .part }}]
  env:
    {{- include "neopain.httpEnvironment" (dict "service" .service "port" $port) | nindent 4 }}
    {{- if .root.Values.connections.caSecret }}
    - { name: SSL_CERT_FILE, value: /etc/neopain/trust/ca.crt }
    {{- end }}
    {{- range .env }}
    {{- with trim . }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- end }}
  ports:
    - { name: {{ default "http" .portName }}, containerPort: {{ $port }} }
    {{- range $name, $number := .ports }}
    - { name: {{ $name }}, containerPort: {{ $number }} }
    {{- end }}
  {{- include "neopain.probes" (dict "port" (default "http" .portName)) | nindent 2 }}
  {{- if .hasPause }}
  {{- include "neopain.preStop" .root | nindent 2 }}
  {{- end }}
  resources:
    {{- toYaml .resources | nindent 4 }}
  {{- include "neopain.containerSecurity" . | nindent 2 }}
  volumeMounts:
    - { name: tmp, mountPath: /tmp }
    {{- if .root.Values.connections.caSecret }}
    - { name: trust, mountPath: /etc/neopain/trust, readOnly: true }
    {{- end }}
    {{- range .mounts }}
    {{- with trim . }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- end }}
{{- end -}}

{{/* The database of charting. */}}
{{- define "neopain.databaseEnvironment" -}}
{{ include "neopain.fromSecret" (dict "root" . "variable" "NEOPAIN_CHARTING_DATABASE_URL" "key" "databaseUrl") }}
{{- end -}}

{{/* One environment variable. Takes name and value. */}}
{{- define "neopain.variable" -}}
- name: {{ .name }}
  value: {{ include "neopain.text" .value | quote }}
{{- end -}}

{{/* A disruption budget that lets one pod go at a time. Takes root, name, replicas; nothing for a single pod, which would
     keep its node from being drained. */}}
{{- define "neopain.budget" -}}
{{- if gt (int .replicas) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "neopain.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "neopain.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{/* The Service of a door for peers outside the cluster. They keep their addresses: the doors and the network policies go
     by them. Takes service (values). */}}
{{- define "neopain.doorService" -}}
type: {{ .service.type }}
{{- if ne .service.type "ClusterIP" }}
externalTrafficPolicy: Local
{{- end }}
{{- with .service.loadBalancerIP }}
loadBalancerIP: {{ . }}
{{- end }}
{{- with .service.loadBalancerSourceRanges }}
loadBalancerSourceRanges:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The broker beside the bus: a password that the bus's variables already bring is not named twice. */}}
{{- define "neopain.brokerOfConsumer" -}}
{{- if and .Values.bus.deploy (not .Values.connections.ownBroker) }}
- name: NEOPAIN_CHARTING_BROKER_URL
  value: redis://:$(BUS_PASSWORD)@{{ include "neopain.fullname" . }}-bus:6379/0
{{- else }}
{{ include "neopain.brokerEnvironment" . }}
{{- end }}
{{- end -}}

{{/* A value as a setting is written: whole numbers in digits (Helm reads 1048576 as 1.048576e+06), lists and maps as JSON. */}}
{{- define "neopain.text" -}}
{{- if or (kindIs "map" .) (kindIs "slice" .) -}}
{{ toJson . }}
{{- else if and (kindIs "float64" .) (eq (float64 (int64 .)) .) -}}
{{ int64 . }}
{{- else -}}
{{ toString . }}
{{- end -}}
{{- end -}}
