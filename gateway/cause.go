package gateway

// Cause is why a connection ended, in the words of life-cycle events (mqtt-broker.md section 6).
type Cause string

const (
	None                Cause = ""
	ClientInitiated     Cause = "CLIENT_INITIATED_DISCONNECT"
	ClientError         Cause = "CLIENT_ERROR"
	ConnectionLost      Cause = "CONNECTION_LOST"
	DuplicateClientID   Cause = "DUPLICATE_CLIENTID"
	KeepAliveTimeout    Cause = "MQTT_KEEP_ALIVE_TIMEOUT"
	AuthError           Cause = "AUTH_ERROR"
	ForbiddenAccess     Cause = "FORBIDDEN_ACCESS"
	ServerError         Cause = "SERVER_ERROR"
	ServerInitiated     Cause = "SERVER_INITIATED_DISCONNECT"
	APIInitiated        Cause = "API_INITIATED_DISCONNECT"
	Throttled           Cause = "THROTTLED"
	WebSocketTTLExpired Cause = "WEBSOCKET_TTL_EXPIRATION"
)
