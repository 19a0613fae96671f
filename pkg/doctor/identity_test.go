package doctor

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
)

func TestHostname(t *testing.T) {
	const luci, coordinator = TargetLUCI, TargetCoordinator
	for _, tt := range []struct {
		name, port string
		target     Target
		want       expect
	}{
		{"", "", luci, expect{Warn, "none is configured", "gobuild init"}},
		{"", "", coordinator, expect{OK, "the machine's own", ""}},
		{"linux-riscv64-joe", "linux-riscv64", luci, expect{OK, "^linux-riscv64-joe$", ""}},
		{"linux-riscv64-joe--02", "linux-riscv64", luci, expect{OK, "--02$", ""}},
		{"linux-riscv64-joe", "linux-arm64", luci, expect{Warn, "named for another port than linux-arm64", "for good"}},
		{"linux-riscv64-joe.bots.golang.org", "", luci, expect{Fail, "has a dot", "write linux-riscv64-joe"}},
		{"riscv64-linux-joe", "", luci, expect{Fail, "behind the architecture", "linux-riscv64-joe"}},
		{"Board", "", luci, expect{Fail, "capitals", "GOOS-GOARCH-HANDLE"}},
		{"Board.lan", "", coordinator, expect{OK, `^Board\.lan$`, ""}},
		{"a b", "", coordinator, expect{Fail, "cannot be a host name", "letters, digits"}},
		{"a/b", "", coordinator, expect{Fail, "cannot be a host name", ""}},
	} {
		f := examine(t, Options{For: tt.target, Hostname: tt.name, Port: tt.port}).hostname(t.Context())
		compare(t, f, tt.want)
	}
	both := examine(t, Options{Hostname: "Board", CertPEM: "x", HostType: "host-x"})
	compare(t, both.hostname(t.Context()), expect{Warn, "capitals", ""})
}

func TestBuilderKey(t *testing.T) {
	const hostType = "host-linux-x"
	good := builderkey.DevMaster().Key(hostType)
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       []expect
	}{
		{"good", good + "\n", 0o600, []expect{{OK, `/key, sha256:[0-9a-f]{12}, mode 0600 of `, ""}}},
		{"readable", good, 0o644, []expect{{Warn, "mode 0644", "chmod 600"}}},
		{"readable by its group", good, 0o640, []expect{{Warn, "its group can read it .mode 0640.", "chmod 600"}}},
		{"CRLF", good + "\r\n", 0o600, []expect{{Warn, "carriage return", "take it off"}}},
		{"readable CRLF", good + "\r\n", 0o644, []expect{{Warn, "mode 0644", "chmod 600"}, {Warn, "carriage return", ""}}},
		{"capitals", strings.ToUpper(good), 0o600, []expect{{Fail, "capitals", "small"}}},
		{"short", good[:31], 0o600, []expect{{Fail, "31 characters that are no builder key", "32 hex digits"}}},
		{"another secret", "hunter2-hunter2", 0o600, []expect{{Fail, "15 characters", ""}}},
		{"empty", "", 0o600, []expect{{Fail, "is empty", ""}}},
		{"two words", good + " " + good, 0o600, []expect{{Fail, "more than one word", ""}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key")
			put(t, file, tt.text, tt.mode)
			got := examine(t, Options{HostType: hostType, KeyFile: file}).keyFile(t.Context())
			compare(t, got, tt.want...)
			for _, f := range got {
				if text := strings.TrimSpace(tt.text); text != "" && strings.Contains(f.Found+f.Remedy, text) {
					t.Errorf("it shows the key: %+v", f)
				}
			}
		})
	}
	home := t.TempDir()
	env := []string{"HOME", home, "HOMEPATH", home, "home", home, "GO_BUILD_KEY_DELETE_AFTER_READ", "1"}
	none := examine(t, Options{HostType: hostType}, env...)
	compare(t, none.keyFile(t.Context()), expect{Fail, ".gobuildkey-" + hostType, "maintainer"})
	put(t, filepath.Join(home, ".gobuildkey-"+hostType), good, 0o600)
	for range 2 { // it is not deleted
		compare(t, examine(t, Options{HostType: hostType}, env...).keyFile(t.Context()), expect{OK, ".gobuildkey-" + hostType, ""})
	}
	compare(t, examine(t, Options{For: TargetCoordinator}, env...).keyFile(t.Context()), expect{Warn, "no host type", "maintainer"})
}

func TestWhoami(t *testing.T) {
	const hostType = "host-linux-x"
	master := builderkey.DevMaster()
	cert := issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	farm := server(t, cert, func(w http.ResponseWriter, r *http.Request) {
		user, key, _ := r.BasicAuth()
		if r.URL.Path != api.RouteWhoami || !master.Verify(user, key) {
			api.Errorf(api.CodeUnauthorized, "the key is not that of %s", user).Write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(api.Whoami{Principal: user})
	})
	other := server(t, cert, hello)
	keyFile := func(key string) string {
		file := filepath.Join(t.TempDir(), "key")
		put(t, file, key, 0o600)
		return file
	}
	good := keyFile(master.Key(hostType))
	for _, tt := range []struct {
		name string
		o    Options
		want expect
	}{
		{"taken", Options{Coordinator: farm.URL, HostType: hostType, KeyFile: good}, expect{OK, "^takes it as host-linux-x's$", ""}},
		{"of another type", Options{Coordinator: farm.URL, HostType: "host-linux-y", KeyFile: good}, expect{Fail, "^refused: the key is not that of host-linux-y", "letter by letter"}},
		{"no coordinator there", Options{Coordinator: other.URL, HostType: hostType, KeyFile: good}, expect{Unknown, "not what a coordinator sends", ""}},
		{"bad address", Options{Coordinator: "https://joe:secret@farm.example", HostType: hostType, KeyFile: good}, expect{Fail, "not an address", "https://HOST"}},
		{"no key", Options{Coordinator: farm.URL, HostType: hostType, KeyFile: keyFile("")}, expect{Skip, "no builder key", ""}},
		{"no host type", Options{Coordinator: farm.URL}, expect{Skip, "no coordinator and host type", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Dialer = trusting(cert)
			got := examine(t, tt.o).whoami(within(t))
			compare(t, got, tt.want)
			if strings.Contains(got[0].Found, "secret") {
				t.Errorf("it shows a password: %s", got[0].Found)
			}
		})
	}
}
