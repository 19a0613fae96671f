package farmbot

import (
	"fmt"
	"strconv"
	"strings"
)

// Amount is a part of what a machine has: so many bytes, or so many percent.
// The zero Amount is not given.
type Amount struct {
	Bytes   int64
	Percent float64
	Given   bool
}

// of returns the Amount of total in bytes.
func (a Amount) of(total int64) int64 {
	if a.Percent > 0 {
		return int64(float64(total) * a.Percent / 100)
	}
	return a.Bytes
}

// String is what ParseAmount reads.
func (a Amount) String() string {
	switch {
	case !a.Given:
		return ""
	case a.Percent > 0:
		return strconv.FormatFloat(a.Percent, 'f', -1, 64) + "%"
	}
	return strings.ReplaceAll(Size(a.Bytes), " ", "")
}

// Set reads an Amount as a flag's value.
func (a *Amount) Set(text string) (err error) {
	*a, err = ParseAmount(text)
	return err
}

// Type is what a flag's value is called.
func (a *Amount) Type() string { return "AMOUNT" }

// ParseAmount reads a size, or a percentage such as 5%.
func ParseAmount(text string) (Amount, error) {
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		p, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(p >= 0 && p < 100) {
			return Amount{}, fmt.Errorf("%q is no percentage below 100", text)
		}
		return Amount{Percent: p, Given: true}, nil
	}
	n, err := ParseSize(text)
	return Amount{Bytes: n, Given: true}, err
}

// units are those of sizes, each 1024 times the one before.
var units = []string{"", "K", "M", "G", "T"}

// ParseSize reads a number of bytes, such as 500M, 2GiB or 1.5G. Units are of
// 1024.
func ParseSize(text string) (int64, error) {
	s := strings.ToUpper(strings.TrimSpace(text))
	s = strings.TrimSuffix(strings.TrimSuffix(s, "B"), "I")
	factor := float64(1)
	for i, unit := range units {
		if unit != "" && strings.HasSuffix(s, unit) {
			factor, s = float64(int64(1)<<(10*i)), strings.TrimSuffix(s, unit)
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if n *= factor; err != nil || !(n >= 0 && n < 1<<62) {
		return 0, fmt.Errorf("%q is no size, such as 500MiB or 2GiB", text)
	}
	return int64(n), nil
}

// Size writes a number of bytes for people.
func Size(n int64) string {
	f, i := float64(n), 0
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return strconv.FormatFloat(float64(int64(f*10+0.5))/10, 'f', -1, 64) + " " + units[i] + "iB"
}
