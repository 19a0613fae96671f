package supervise

import (
	"os"
	"testing"
)

// What is found by its mark is killed: so nothing is found by a mark that
// others may have, and never this process.
func TestMarkedFindsNoStranger(t *testing.T) {
	name := "SUPERVISE_TEST_MARK"
	t.Setenv(name, "0123456789abcdef")
	for _, mark := range []string{"", "=", "P", "PATH", "PATH=", "PATH=/usr", "HOME=/root", name + "=0123456789abcdef"} {
		if found := Marked(mark); len(found) > 0 {
			t.Errorf("mark %q: processes %v (this is %d)", mark, found, os.Getpid())
		}
	}
}
