package botcert

// The states of a Finding.
const (
	OK   = "ok"
	Warn = "warn" // works with gobuild, or still for a while
	Fail = "fail"
)

// Finding is what one check found.
type Finding struct {
	State  string `json:"state"` // OK, Warn or Fail
	What   string `json:"what"`  // was looked at
	Found  string `json:"found"`
	Wanted string `json:"wanted,omitempty"`
	Hint   string `json:"hint,omitempty"` // how to mend it
}

// judge is a Finding that is Fail, with advice, where found is not wanted.
func judge(what, found, wanted, advice string) Finding {
	if found == wanted {
		return Finding{State: OK, What: what, Found: found}
	}
	return Finding{Fail, what, found, wanted, advice}
}
