package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What is written is read again, for every code.
func TestErrorRoundTrip(t *testing.T) {
	for code, status := range statusOf {
		sent := Errorf(code, "no %s here", "thing").WithHint("look at %d", 7)
		w := httptest.NewRecorder()
		sent.Write(w)
		resp := w.Result()
		if resp.StatusCode != status {
			t.Errorf("%s: status %d, want %d", code, resp.StatusCode, status)
		}
		if got := resp.Header.Get("WWW-Authenticate") != ""; got != (status == http.StatusUnauthorized) {
			t.Errorf("%s: WWW-Authenticate: %v", code, got)
		}
		err := ParseError(resp, w.Body.Bytes())
		var got *Error
		if !errors.As(err, &got) || *got != *sent {
			t.Errorf("%s: got %#v", code, err)
		}
	}
	if s := Errorf("made up", "x").Status(); s != http.StatusInternalServerError {
		t.Errorf("a code that is not known has status %d", s)
	}
}

func TestParseErrorOfOthers(t *testing.T) {
	for _, tt := range []struct {
		name, contentType, body string
		want                    bool
	}{
		{"ours", "application/json", `{"error":{"code":"gone","message":"m"}}`, true},
		{"with a charset", "application/json; charset=utf-8", `{"error":{"code":"gone","message":"m"}}`, true},
		{"text", "text/plain", `{"error":{"code":"gone","message":"m"}}`, false},
		{"no type", "", `{"error":{"code":"gone","message":"m"}}`, false},
		{"empty", "application/json", ``, false},
		{"null", "application/json", `{"error":null}`, false},
		{"no message", "application/json", `{"error":{"code":"gone"}}`, false},
		{"another shape", "application/json", `{"error":"gone"}`, false},
	} {
		err := ParseError(&http.Response{Header: http.Header{"Content-Type": {tt.contentType}}}, []byte(tt.body))
		if (err != nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func FuzzParseError(f *testing.F) {
	f.Add("application/json", []byte(`{"error":{"code":"gone","message":"m","hint":"h"}}`))
	f.Add("application/json; charset=utf-8", []byte(`{"error":null}`))
	f.Add("application/json;", []byte(`{"error":{"message":[]}}`))
	f.Add("text/html", []byte("<html>"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		err := ParseError(&http.Response{Header: http.Header{"Content-Type": {contentType}}}, body)
		if err == nil {
			return
		}
		if err.Error() == "" {
			t.Error("an error without a text")
		}
		if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), "application/json") {
			t.Errorf("an error from an answer of type %q", contentType)
		}
	})
}
