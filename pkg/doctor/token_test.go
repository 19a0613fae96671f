package doctor

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machineToken returns a token for a machine (LUCI protocol, section 5).
func machineToken(fqdn string) string {
	text := func(number uint64, s string) []byte {
		return append(binary.AppendUvarint(binary.AppendUvarint(nil, number<<3|2), uint64(len(s))), s...)
	}
	return base64.RawStdEncoding.EncodeToString(text(1, string(text(1, fqdn))))
}

func TestToken(t *testing.T) {
	const own = "linux-riscv64-joe"
	now := time.Unix(1795430000, 0)
	token := machineToken(own + ".bots.golang.org")
	at := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	text := func(token string, expiry, last, next time.Duration, more string) string {
		return fmt.Sprintf(`{"luci_machine_token": %q, "expiry": %q, "last_update": %q, "next_update": %q%s}`, token, at(expiry), at(last), at(next), more)
	}
	const m = time.Minute
	for _, tt := range []struct {
		name, text string
		host       string
		want       []expect
	}{
		{"good", text(token, 40*m, -20*m, 10*m, ""), own, []expect{{OK, "^good for 40m, renewed 20m ago; mode 0644 of ", ""}}},
		{"no times of updates", fmt.Sprintf(`{"luci_machine_token": %q, "expiry": %s}`, token, at(40*m)), own, []expect{{OK, "^good for 40m; mode 0644 of ", ""}}},
		{"of several bots", text(token, 40*m, -20*m, 10*m, ""), own + "--01", []expect{{OK, "", ""}}},
		{"ended", text(token, -72*time.Hour, -73*time.Hour, -72*time.Hour, ""), own, []expect{{Fail, "^the token ended 3 days ago; mode", "tokend"}}},
		{"ends soon", text(token, 5*m, -55*m, -25*m, ""), own, []expect{{Warn, "^the token ends in 5m; mode", "10 minutes"}}},
		{"not renewed", text(token, 14*m, -46*m, -16*m, ""), own, []expect{{Warn, "its renewal was due 16m ago", "log"}}},
		{"of another host", text(machineToken("linux-riscv64-jim.bots.golang.org"), 40*m, -20*m, 10*m, ""), own, []expect{{Fail, `^the token is for linux-riscv64-jim\.bots`, "certificate of " + own}}},
		{"ended, of another host", text(machineToken("x.y"), -5*m, -20*m, 10*m, ""), own, []expect{{Fail, "ended 5m ago", ""}, {Fail, `for x\.y`, ""}}},
		{"no host name", text(token, 40*m, -20*m, 10*m, ""), "", []expect{{OK, "", ""}}},
		{"fields that are none", text(token, 40*m, -20*m, 10*m, `, "host": 1`), own, []expect{{Warn, "host", "luci_machine_tokend takes this file for none"}}},
		{"no token", text("", 40*m, -20*m, 10*m, ""), own, []expect{{Fail, "holds no machine token", ""}}},
		{"no end", fmt.Sprintf(`{"luci_machine_token": %q}`, token), own, []expect{{Fail, "does not say when", ""}}},
		{"no token at all", text("secret.secret", 40*m, -20*m, 10*m, ""), own, []expect{{Fail, "no base64", "remove"}}},
		{"cut off", text(token, 40*m, -20*m, 10*m, "")[:50], own, []expect{{Fail, "token file .*no JSON", "remove"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "token.json")
			put(t, file, tt.text, 0o644)
			// t.TempDir makes directories for their owner only.
			for dir := filepath.Dir(file); dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
				os.Chmod(dir, 0o755)
			}
			e := examine(t, Options{Hostname: tt.host, TokenFile: file, Now: func() time.Time { return now }}, "LUCI_MACHINE_TOKEN", file)
			got := e.token(t.Context())
			compare(t, got, tt.want...)
			for _, f := range got {
				if strings.Contains(f.Found, token) || strings.Contains(f.Found, "secret") {
					t.Errorf("it shows the token: %s", f.Found)
				}
			}
			// Elsewhere than where the bot looks.
			elsewhere := examine(t, Options{Hostname: tt.host, TokenFile: file, Now: e.Now}).token(t.Context())
			if last := elsewhere[len(elsewhere)-1]; !strings.HasPrefix(tt.name, "cut") && (last.State != Warn || !contains(last.Remedy, "LUCI_MACHINE_TOKEN="+file)) {
				t.Errorf("elsewhere: got %+v", last)
			}
		})
	}
}

func TestTokenWritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token.json")
	put(t, file, fmt.Sprintf(`{"luci_machine_token": %q, "expiry": %d}`, machineToken("a.b"), time.Now().Add(time.Hour).Unix()), 0o666)
	for dir := filepath.Dir(file); dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	compare(t, examine(t, Options{}, "LUCI_MACHINE_TOKEN", file).token(t.Context()), expect{Warn, "everybody can write it .mode 0666.", "chmod 644"})
}

func TestTokenMissing(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	cert := filepath.Join(t.TempDir(), "cert")
	put(t, cert, "", 0o600)
	compare(t, examine(t, Options{TokenFile: none, CertPEM: cert}).token(t.Context()), expect{Fail, "none is not there", "tokend"})
	compare(t, examine(t, Options{TokenFile: none}).token(t.Context()), expect{Warn, "none is not there", "comes with the certificate"})
	compare(t, examine(t, Options{}, "LUCI_MACHINE_TOKEN", none).token(t.Context()), expect{Skip, "configured", ""})
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		59 * time.Second:                    "59s",
		90 * time.Second:                    "1m30s",
		20*time.Minute + 20*time.Second:     "20m",
		3*time.Hour + 5*time.Minute:         "3h5m",
		80 * time.Hour:                      "3 days",
		10*time.Hour + 900*time.Millisecond: "10h",
	} {
		if got := span(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
