package mintserver

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// maxRequest bounds a request, unpacked, in bytes. One for a token has two
// thousand; the real server stops at 64 MiB.
const maxRequest = 1 << 20

// The gRPC codes that are used by name (section 2).
const (
	canceled         = 1
	invalidArgument  = 3
	deadlineExceeded = 4
	unimplemented    = 12
	internal         = 13
	unavailable      = 14
)

// httpStatus is the HTTP status of each gRPC code (section 2).
var httpStatus = [...]int{200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401}

// generic is what clients hear of errors whose status is 500 or above.
var generic = map[int]string{
	2:  "Unknown server error",
	4:  "Request deadline exceeded",
	12: "API method not implemented by the server",
	13: "Internal server error",
	14: "Service unavailable",
	15: "Unrecoverable data loss or data corruption",
}

// Error is an error of the transport.
type Error struct {
	Code int // of gRPC
	Text string

	status  int    // of HTTP, if it is not the one of Code
	open    bool   // clients hear Text whatever the status
	details string // a google.protobuf.Any, encoded as the client wants it
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

func (e *Error) httpStatus() int {
	switch {
	case e.status != 0:
		return e.status
	case e.Code < 0 || e.Code >= len(httpStatus):
		return http.StatusInternalServerError
	}
	return httpStatus[e.Code]
}

// clientText is what the client hears.
func (e *Error) clientText() string {
	if e.httpStatus() < 500 || e.open {
		return e.Text
	}
	if text, ok := generic[e.Code]; ok {
		return text
	}
	return "Server error"
}

// asError returns err as an error of the transport, which it is or becomes.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: internal, Text: err.Error()}
}

// protocolError is an error in the form of a request.
func protocolError(status int, format string, args ...any) *Error {
	return &Error{Code: invalidArgument, Text: fmt.Sprintf(format, args...), status: status, open: true}
}

// tooBig is the error for an answer that is larger than the client wants it.
func tooBig(size, limit int, format format) *Error {
	e := &Error{Code: unavailable, Text: fmt.Sprintf("the response size %d exceeds the client limit %d", size, limit), open: true}
	const name = "type.googleapis.com/luci.prpc.ErrorDetails"
	switch format {
	case formatJSON:
		e.details = fmt.Sprintf(`{"@type":%q,"responseTooBig":{"responseSize":"%d","responseLimit":"%d"}}`, name, size, limit)
	case formatText:
		e.details = fmt.Sprintf("[%s]: {response_too_big: {response_size: %d, response_limit: %d}}", name, size, limit)
	default:
		inner := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(size))
		inner = protowire.AppendVarint(protowire.AppendTag(inner, 2, protowire.VarintType), uint64(limit))
		detail, err := proto.Marshal(&anypb.Any{
			TypeUrl: name,
			Value:   protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner),
		})
		if err != nil {
			panic(err) // of strings of our own
		}
		e.details = string(detail)
	}
	return e
}

// format is how messages are encoded.
type format int

const (
	formatBinary format = iota
	formatJSON
	formatText
)

func (f format) mediaType() string {
	return [...]string{"application/prpc; encoding=binary", "application/json", "application/prpc; encoding=text"}[f]
}

// parseFormat reads a media type.
func parseFormat(mediaType string) (format, error) {
	kind, params, err := mime.ParseMediaType(mediaType)
	if err != nil {
		return 0, err
	}
	switch kind {
	case "application/json":
		return formatJSON, nil
	case "*/*", "application/*", "application/grpc":
		return formatBinary, nil
	case "application/prpc":
	default:
		return 0, fmt.Errorf("unknown content type: %q", kind)
	}
	for name := range params {
		if name != "encoding" {
			return 0, fmt.Errorf("unexpected parameter %q", name)
		}
	}
	switch encoding := params["encoding"]; encoding {
	case "", "binary":
		return formatBinary, nil
	case "json":
		return formatJSON, nil
	case "text":
		return formatText, nil
	default:
		return 0, fmt.Errorf(`invalid encoding parameter: %q. Valid values: "binary", "json", "text"`, encoding)
	}
}

// parseAccept returns the format that a client wants most, of several the
// first of the formats.
func parseAccept(accept string) (format, error) {
	if accept == "" {
		return formatBinary, nil
	}
	best, quality := formatBinary, math.Inf(-1)
	for part := range strings.SplitSeq(accept, ",") {
		mediaType, q := cutQuality(strings.TrimSpace(part))
		n := 1.0
		if q != "" {
			var err error
			if n, err = strconv.ParseFloat(q, 32); err != nil {
				return 0, protocolError(http.StatusBadRequest, "bad Accept header: q parameter: expected a floating-point number")
			}
		}
		if f, err := parseFormat(mediaType); err == nil && (n > quality || n == quality && f < best) {
			best, quality = f, n
		}
	}
	if math.IsInf(quality, -1) {
		return 0, protocolError(http.StatusNotAcceptable,
			"bad Accept header: specified media types are not not supported. Supported types: %q, %q, %q, %q.",
			formatBinary.mediaType(), formatJSON.mediaType(), formatText.mediaType(), "application/json")
	}
	return best, nil
}

// cutQuality parts a media type from its parameter q.
func cutQuality(part string) (mediaType, q string) {
	for i := range part {
		if part[i] != ';' {
			continue
		}
		name, value, _ := strings.Cut(part[i+1:], "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, _, _ := strings.Cut(value, ";")
			return part[:i], strings.TrimSpace(q)
		}
	}
	return part, ""
}

// parseHeaders reads what a request says of itself, and refuses calls of
// anything but the one method. The limit is that of the answer, in bytes.
func parseHeaders(r *http.Request) (f format, limit int, err error) {
	switch {
	case r.PathValue("service") != service:
		return 0, 0, &Error{Code: unimplemented, Text: fmt.Sprintf("service %q is not implemented", r.PathValue("service"))}
	case r.PathValue("method") != method:
		return 0, 0, &Error{Code: unimplemented, Text: fmt.Sprintf("method %q in service %q is not implemented", r.PathValue("method"), service)}
	}
	if f, err = parseAccept(r.Header.Get("Accept")); err != nil {
		return 0, 0, err
	}
	const timeoutHeader, sizeHeader = "X-Prpc-Grpc-Timeout", "X-Prpc-Max-Response-Size"
	if timeout := r.Header.Get(timeoutHeader); timeout != "" {
		// Only read: no call takes so long that it would matter.
		if _, err := parseTimeout(timeout); err != nil {
			return 0, 0, protocolError(http.StatusBadRequest, "bad request headers: %q header: %s", timeoutHeader, err)
		}
	}
	limit = math.MaxInt
	if size := r.Header.Get(sizeHeader); size != "" {
		n, err := strconv.ParseInt(size, 10, 64)
		if err == nil && n <= 0 {
			err = errors.New("it must be positive")
		}
		if err != nil {
			return 0, 0, protocolError(http.StatusBadRequest, "bad request headers: %q header: %s", sizeHeader, err)
		}
		limit = int(min(n, math.MaxInt))
	}
	return f, limit, nil
}

// parseTimeout reads a number and a unit.
func parseTimeout(s string) (time.Duration, error) {
	if len(s) < 2 {
		return 0, fmt.Errorf("too short: %q", s)
	}
	unit, ok := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second,
		'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}[s[len(s)-1]]
	if !ok {
		return 0, fmt.Errorf("unit is not recognized: %q", s)
	}
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 64)
	return unit * time.Duration(n), err
}

// readMessage reads the body of a request.
func readMessage(r *http.Request, msg proto.Message) error {
	f := formatBinary
	if contentType := r.Header.Get("Content-Type"); contentType != "" {
		var err error
		if f, err = parseFormat(contentType); err != nil {
			return protocolError(http.StatusUnsupportedMediaType, "bad Content-Type header: %s", err)
		}
	}
	var body io.Reader = r.Body
	failed := "could not read request body"
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			return readError("failed to start decompressing gzip request body", err)
		}
		body, failed = unpacked, "could not read or decompress request body"
	}
	text, err := io.ReadAll(io.LimitReader(body, maxRequest+1))
	switch {
	case err != nil:
		return readError(failed, err)
	case len(text) > maxRequest:
		return protocolError(http.StatusBadRequest, "%s: it is larger than %d bytes", failed, maxRequest)
	}
	switch f {
	case formatJSON:
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, msg)
	case formatText:
		err = prototext.Unmarshal(text, msg)
	default:
		err = proto.Unmarshal(text, msg)
	}
	if err != nil {
		return protocolError(http.StatusBadRequest, "could not decode body: %s", err)
	}
	return nil
}

// readError is the error for a request of which not all came.
func readError(text string, err error) *Error {
	e := protocolError(0, "%s: %s", text, err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		e.Code = canceled
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = deadlineExceeded
	}
	return e
}

// jsonPrefix keeps a JSON answer from being run as a script.
const jsonPrefix = ")]}'\n"

func (f format) marshal(msg proto.Message) ([]byte, error) {
	switch f {
	case formatJSON:
		text, err := protojson.Marshal(msg)
		if err != nil {
			return nil, err
		}
		// protojson puts spaces in at random.
		answer := bytes.NewBufferString(jsonPrefix)
		if err := json.Compact(answer, text); err != nil {
			return nil, err
		}
		answer.WriteByte('\n')
		return answer.Bytes(), nil
	case formatText:
		return prototext.MarshalOptions{Multiline: true}.Marshal(msg)
	}
	return proto.Marshal(msg)
}

func writeAnswer(w http.ResponseWriter, f format, body []byte) {
	w.Header().Set("X-Prpc-Grpc-Code", "0")
	w.Header().Set("Content-Type", f.mediaType())
	w.Write(body) // an error means that nobody listens any more
}

func writeError(w http.ResponseWriter, err *Error) {
	if err.details != "" {
		w.Header().Set("X-Prpc-Status-Details-Bin", base64.StdEncoding.EncodeToString([]byte(err.details)))
	}
	w.Header().Set("X-Prpc-Grpc-Code", strconv.Itoa(err.Code))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(err.httpStatus())
	io.WriteString(w, err.clientText()+"\n")
}
