package buildlet

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestTakeEnv(t *testing.T) {
	saved := os.Environ()
	defer func() {
		os.Clearenv()
		for _, entry := range saved {
			name, value, _ := strings.Cut(entry, "=")
			os.Setenv(name, value)
		}
	}()
	now := func() []string {
		env := os.Environ()
		slices.Sort(env)
		return env
	}
	os.Clearenv()
	os.Setenv("A", "1")
	os.Setenv("B", "2")
	entry, err := EncodeEnv([]string{"B=x=y", "C=\"a b\"\n"})
	name, value, _ := strings.Cut(entry, "=")
	if err != nil || os.Setenv(name, value) != nil {
		t.Fatal(err)
	}
	if err := TakeEnv([]string{"D=4"}); err != nil {
		t.Fatal(err)
	}
	if got, want := now(), []string{"A=1", "B=x=y", "C=\"a b\"\n"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := TakeEnv([]string{"D=4"}); err != nil {
		t.Fatal(err)
	}
	if got, want := now(), []string{"D=4"}; !slices.Equal(got, want) {
		t.Errorf("with nothing handed over: %q, want %q", got, want)
	}
	os.Setenv(name, "{secret")
	if err := TakeEnv(nil); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}
