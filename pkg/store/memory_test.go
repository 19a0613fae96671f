package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gobuild/pkg/availability"
)

func TestMemory(t *testing.T) {
	ctx := t.Context()
	m := NewMemory()
	now := time.Now()
	for _, id := range []string{"joe-b-1", "joe-b-0", "ann-a-0"} {
		if err := m.SaveInstance(ctx, Instance{ID: id, Created: now}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.SaveInstance(ctx, Instance{ID: "joe-b-1", Ended: now, Why: "destroyed"}); err != nil {
		t.Fatal(err)
	}
	live, err := m.Instances(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(live) != 2 || live[0].ID != "ann-a-0" || live[1].ID != "joe-b-0" {
		t.Errorf("living instances: %+v", live)
	}
	if inst, err := m.Instance(ctx, "joe-b-1"); err != nil || inst.Why != "destroyed" {
		t.Errorf("ended instance: %+v, %v", inst, err)
	}
	if _, err := m.Instance(ctx, "nobody-x-0"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown ID: error %v, want ErrNotFound", err)
	}
}

// An ID that is used again is not forgotten with its earlier life.
func TestMemoryForgetsOldest(t *testing.T) {
	ctx := t.Context()
	m := NewMemory()
	now := time.Now()
	m.SaveInstance(ctx, Instance{ID: "again", Ended: now})
	m.SaveInstance(ctx, Instance{ID: "again"})
	for i := range keepEnded + 5 {
		m.SaveInstance(ctx, Instance{ID: fmt.Sprint("x", i), Ended: now})
	}
	if _, err := m.Instance(ctx, "again"); err != nil {
		t.Errorf("the living instance: %v", err)
	}
	if _, err := m.Instance(ctx, "x4"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the oldest ended instance: error %v, want ErrNotFound", err)
	}
	if _, err := m.Instance(ctx, "x5"); err != nil {
		t.Errorf("the oldest of the last %d: %v", keepEnded, err)
	}
}

func TestMemoryHostAvailability(t *testing.T) {
	ctx := t.Context()
	m := NewMemory()
	now := time.Now()
	for _, a := range []HostAvailability{
		{HostType: "b", Hostname: "x", Availability: availability.Availability{State: "paused", Since: now}},
		{HostType: "a", Hostname: "y", Availability: availability.Availability{State: "paused", Since: now}},
		{HostType: "a", Hostname: "x", Availability: availability.Availability{State: "draining", Since: now}},
		{HostType: "a", Hostname: "x", Availability: availability.Availability{State: "paused", Since: now, Until: now.Add(time.Hour), By: "its owner", Why: "noise"}},
		{HostType: "a", Hostname: "y"},
	} {
		if err := m.SaveHostAvailability(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	list, err := m.HostAvailabilities(ctx)
	if err != nil || len(list) != 2 || list[0].HostType != "a" || list[0].Hostname != "x" || list[0].Why != "noise" || list[1].HostType != "b" {
		t.Errorf("%+v, %v", list, err)
	}
}
