package buildlet

import (
	"os"
	"strings"
	"testing"
)

// Windows programs find the place for temporary files by TMP and TEMP. What
// they leave there has to go with the work directory.
func TestExecTemp(t *testing.T) {
	s := serve(t, Options{Environ: append(os.Environ(), "TMP=C:\\elsewhere", "Temp=C:\\elsewhere")})
	run := func(env ...string) string {
		t.Helper()
		var out strings.Builder
		state, err := s.client().Exec(t.Context(), "cmd", ExecOptions{SystemLevel: true, Args: []string{"/c", "echo %TMP%;%TEMP%;%TMPDIR%"}, Env: env, Output: &out})
		if err != nil || !state.OK() {
			t.Fatalf("%v, %v", state, err)
		}
		return strings.TrimSpace(out.String())
	}
	tmp := s.path("tmp")
	if got, want := run(), tmp+";"+tmp+";"+tmp; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := run(`TMP=C:\callers`), `C:\callers;`+tmp+";"+tmp; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
