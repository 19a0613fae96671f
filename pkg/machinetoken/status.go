package machinetoken

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Reasons for a run to get a token or not, as the status file names them
// (LUCI protocol, section 7.7).
const (
	ReasonGood         = "TOKEN_IS_GOOD"
	ReasonNew          = "NEW_TOKEN"
	ReasonExpires      = "TOKEN_EXPIRES"
	ReasonParams       = "PARAMS_CHANGE"
	ReasonForced       = "FORCE_REFRESH"
	ReasonMissingCopy  = "MISSING_TOKEN_COPY"
	OutcomeGood        = ReasonGood
	OutcomeSuccess     = "UPDATE_SUCCESS"
	OutcomeCantReadKey = "CANT_READ_KEY"
	// OutcomeLocked is gobuild's own: another daemon is at work and there is
	// no token that could be used meanwhile.
	OutcomeLocked = "LOCKED"

	malformedResponse     = "MALFORMED_RESPONSE"
	unknownRPCError       = "UNKNOWN_RPC_ERROR"
	saveTokenPermError    = "SAVE_TOKEN_PERM_ERROR"
	unknownSaveTokenError = "UNKNOWN_SAVE_TOKEN_ERROR"
)

func grpcOutcome(code int) string { return fmt.Sprintf("GRPC_ERROR_%d", code) }

// status is a status file (LUCI protocol, section 7.7): the names and kinds of
// luci_machine_tokend's.
type status struct {
	TokendVersion  string `json:"tokend_version"`
	ServiceVersion string `json:"service_version,omitempty"`
	Started        int64  `json:"started_ts"` // Unix time, in seconds
	TotalDuration  int64  `json:"total_duration_us,omitempty"`
	RPCDuration    int64  `json:"rpc_duration_us,omitempty"`
	Outcome        string `json:"update_outcome,omitempty"`
	Reason         string `json:"update_reason,omitempty"`
	Failure        string `json:"failure_error,omitempty"`
	Log            string `json:"log_dump"`
	LastUpdate     int64  `json:"token_last_update_ts,omitempty"`
	NextUpdate     int64  `json:"token_next_update_ts,omitempty"`
	Expiry         int64  `json:"token_expiry_ts,omitempty"`
}

// saveStatus writes the status file of a run that began at start.
func saveStatus(ctx context.Context, path string, r Result, start time.Time, total time.Duration, log string) error {
	s := status{
		TokendVersion:  tokendVersion(),
		ServiceVersion: r.ServiceVersion,
		Started:        start.Unix(),
		TotalDuration:  total.Microseconds(),
		RPCDuration:    r.CallTime.Microseconds(),
		Outcome:        r.Outcome,
		Reason:         r.Reason,
		Log:            log,
		LastUpdate:     unix(r.token.LastUpdate),
		NextUpdate:     unix(r.token.NextUpdate),
		Expiry:         unix(r.token.Expiry),
	}
	if r.Err != nil {
		s.Failure = r.Err.Error()
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return saveFile(context.WithoutCancel(ctx), path, text)
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
