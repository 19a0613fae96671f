package machinetoken

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
)

// tokenMode lets the bot's user read the token, and the daemon alone write it.
const tokenMode = 0o644

// Marshal returns the text of a token file, as luci_machine_tokend reads it
// and every consumer does (LUCI protocol, section 7.6): 64-bit numbers as
// strings, no field that it does not know, no line end behind it.
func (f TokenFile) Marshal() ([]byte, error) {
	state, err := json.Marshal(f.State)
	if err != nil {
		return nil, err
	}
	seconds := func(t time.Time) string {
		if t.IsZero() || t.Unix() == 0 {
			return ""
		}
		return strconv.FormatInt(t.Unix(), 10)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(struct {
		Token      string `json:"luci_machine_token,omitempty"`
		Expiry     string `json:"expiry,omitempty"`
		LastUpdate string `json:"last_update,omitempty"`
		NextUpdate string `json:"next_update,omitempty"`
		State      string `json:"tokend_state,omitempty"`
	}{f.Token, seconds(f.Expiry), seconds(f.LastUpdate), seconds(f.NextUpdate), base64.StdEncoding.EncodeToString(state)})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// How long a reader may keep a file from being replaced, on Windows (LUCI
// protocol, section 7.6).
const (
	replacePatience = 10 * time.Second
	replacePause    = 500 * time.Millisecond
)

// saveFile puts text in place of what is in path, for everybody to read. What
// was there stays until the new text is on the disk.
func saveFile(ctx context.Context, path string, text []byte) error {
	info, statErr := os.Lstat(path)
	end := time.Now().Add(replacePatience)
	for {
		err := atomicfile.Replace(path, text, tokenMode)
		if err == nil || runtime.GOOS != "windows" || !errors.Is(err, fs.ErrPermission) || time.Now().After(end) {
			if err != nil && statErr == nil {
				if other := otherOwner(info); other != "" && errors.Is(err, fs.ErrPermission) {
					err = hint.With(err, "the file belongs to %s: run the token daemon as that user, or remove the file", other)
				}
			}
			return err
		}
		select { // a reader holds it open
		case <-time.After(replacePause):
		case <-ctx.Done():
			return err
		}
	}
}

// saveOutcome is how the status file names the reason why a token was not
// saved.
func saveOutcome(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return saveTokenPermError
	}
	return unknownSaveTokenError
}

// sweep removes what a daemon left beside the token file that ended while it
// was writing. The lock has to be held.
func sweep(path string) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "."+base+".tmp-") && entry.Type().IsRegular() {
			os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}
