package doctor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// status explains the status file of luci_machine_tokend (LUCI protocol,
// section 7.7), if in holds one, and returns what is to be read as a log.
func (s *logScan) status(in *bufio.Reader) (*bufio.Reader, error) {
	head, _ := in.Peek(4 << 10)
	if !bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) || !bytes.Contains(head, []byte(`"tokend_version"`)) {
		return in, nil
	}
	data, err := io.ReadAll(io.LimitReader(in, maxStatus))
	if err != nil {
		return in, err
	}
	var file statusFile
	if json.Unmarshal(data, &file) != nil {
		// Cut off, or something else after all.
		return bufio.NewReaderSize(io.MultiReader(bytes.NewReader(data), in), maxLogLine), nil
	}
	for line := range strings.Lines(file.LogDump) {
		s.line(lineOf(data, "log_dump"), []byte(strings.TrimSuffix(line, "\n")))
	}
	if len(s.seen) == 0 && file.FailureError != "" {
		s.line(lineOf(data, "failure_error"), []byte(file.logged()))
	}
	if file.FailureError != "" && file.TokenExpiry != 0 && file.TokenExpiry <= file.Started {
		s.line(lineOf(data, "token_expiry_ts"), fmt.Appendf(nil, tokenExpired, time.Duration(file.Started-file.TokenExpiry)*time.Second))
	}
	return in, nil
}

const maxStatus = 4 << 20

// statusFile is what matters here of a status file.
type statusFile struct {
	UpdateOutcome string `json:"update_outcome"`
	FailureError  string `json:"failure_error"`
	LogDump       string `json:"log_dump"`
	Started       int64  `json:"started_ts"`      // Unix seconds
	TokenExpiry   int64  `json:"token_expiry_ts"` // likewise
}

// logged returns the line that the daemon logs for its outcome.
func (f *statusFile) logged() string {
	switch o := f.UpdateOutcome; {
	case o == "CANT_READ_KEY":
		return "Failed to initialize the client - " + f.FailureError
	case strings.Contains(o, "SAVE_TOKEN"):
		return "Failed to save token file - " + f.FailureError
	case o == "MALFORMED_RESPONSE":
		return f.FailureError
	}
	return "Failed to generate a new token - " + f.FailureError
}

// tokenExpired is put in words that the table knows, since the daemon has none.
const tokenExpired = "the token had expired %s before this run"

// lineOf returns the line on which the field stands.
func lineOf(data []byte, field string) int {
	before, _, _ := bytes.Cut(data, []byte(`"`+field+`"`))
	return 1 + bytes.Count(before, []byte("\n"))
}
