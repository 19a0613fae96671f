package lazyre

import (
	"sync"
	"testing"
)

func TestRegexp(t *testing.T) {
	re := New(`(\d+)-(\w+)`)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if m := re.FindStringSubmatch("a 12-b"); len(m) != 3 || m[1] != "12" || m[2] != "b" {
				t.Errorf("%q", m)
			}
		})
	}
	all.Wait()
	if got := re.ReplaceAllString("1-a 2-b", "$2$1"); got != "a1 b2" {
		t.Error(got)
	}
}

// In a test a bad expression shows at once, though nothing uses it.
func TestBadExpression(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New(`(`)
}
