package diskstore_test

import (
	"crypto/md5"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-iot/muster/files/diskstore"
)

// partSize is the smallest size of a part.
const partSize = diskstore.PartMin

func (e *env) upload(key string, algorithm diskstore.Algorithm, checksumType string) diskstore.Upload {
	e.t.Helper()
	u, err := e.CreateUpload(e.t.Context(), "lab", key, diskstore.Attributes{}, algorithm, checksumType)
	if err != nil {
		e.t.Fatal(err)
	}
	return u
}

func (e *env) part(u diskstore.Upload, number int, body string) diskstore.CompletedPart {
	e.t.Helper()
	p, err := e.PutPart(e.t.Context(), "lab", u.Key, u.ID, number, content(body))
	if err != nil {
		e.t.Fatal(err)
	}
	return diskstore.CompletedPart{Number: number, ETag: p.ETag, Checksum: p.Checksum.Value}
}

func TestMultipart(t *testing.T) {
	large, small := strings.Repeat("x", partSize), "the rest"
	for name, test := range map[string]struct {
		algorithm diskstore.Algorithm
		kind      string
		want      string
	}{
		"without a checksum": {"", "", ""},
		"CRC32":              {diskstore.CRC32, "", "-2"},
		"CRC32, of all":      {diskstore.CRC32, diskstore.FullObject, ""},
		"CRC64NVME":          {diskstore.CRC64NVME, "", ""},
		"SHA256":             {diskstore.SHA256, diskstore.Composite, "-2"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, diskstore.Limits{})
			e.put("k", "before")
			u := e.upload("k", test.algorithm, test.kind)
			last := e.part(u, 9, small)
			e.part(u, 2, "replaced")
			e.part(u, 5, "not named")
			first := e.part(u, 2, large)
			if got := e.get("k", ""); got != "before" {
				t.Errorf("before it is complete the object is %q", got)
			}
			v, err := e.CompleteUpload(t.Context(), "lab", "k", u.ID, []diskstore.CompletedPart{first, last}, "", diskstore.Precondition{})
			if err != nil {
				t.Fatal(err)
			}
			if got := e.get("k", ""); got != large+small {
				t.Errorf("the object has %d bytes, want %d", len(got), len(large+small))
			}
			one, two := md5.Sum([]byte(large)), md5.Sum([]byte(small))
			if want := fmt.Sprintf("%x-2", md5.Sum(append(one[:], two[:]...))); v.ETag != want || v.Parts != 2 {
				t.Errorf("the object has the ETag %s and %d parts, want %s and 2", v.ETag, v.Parts, want)
			}
			if !strings.HasSuffix(v.Checksum.Value, test.want) || (v.Checksum.Value == "") != (test.algorithm == "") {
				t.Errorf("the checksum is %q", v.Checksum.Value)
			}
			if test.kind == diskstore.FullObject || test.algorithm == diskstore.CRC64NVME {
				whole, err := e.Put(t.Context(), "lab", "whole", diskstore.Content{Body: strings.NewReader(large + small), Size: -1, Algorithm: test.algorithm}, diskstore.Attributes{}, diskstore.Precondition{})
				if err != nil || whole.Checksum != v.Checksum {
					t.Errorf("the checksum is %+v, in one piece it is %+v (%v)", v.Checksum, whole.Checksum, err)
				}
				e.del("whole", "")
			}
			e.tidy(1)
		})
	}
}

func TestMultipartRefuses(t *testing.T) {
	e := newEnv(t, diskstore.Limits{ObjectSize: partSize + 10})
	u := e.upload("k", diskstore.CRC32, "")
	one, small, last, large := e.part(u, 1, strings.Repeat("x", partSize)), e.part(u, 2, "small"), e.part(u, 3, "1234567"), e.part(u, 4, "12345678901")
	wrong := one
	wrong.Checksum = "AAAAAA=="
	for name, test := range map[string]struct {
		id    string
		named []diskstore.CompletedPart
		want  string
		code  diskstore.Code
	}{
		"no such upload":           {"00", []diskstore.CompletedPart{one}, "", diskstore.NoSuchUpload},
		"no upload's id":           {"\x00", []diskstore.CompletedPart{one}, "", diskstore.NoSuchUpload},
		"no parts":                 {u.ID, nil, "", diskstore.InvalidRequest},
		"parts out of order":       {u.ID, []diskstore.CompletedPart{small, one}, "", diskstore.InvalidPartOrder},
		"a part twice":             {u.ID, []diskstore.CompletedPart{one, one}, "", diskstore.InvalidPart},
		"a part that is not there": {u.ID, []diskstore.CompletedPart{one, {Number: 7, ETag: one.ETag}}, "", diskstore.InvalidPart},
		"another ETag":             {u.ID, []diskstore.CompletedPart{{Number: 1, ETag: small.ETag}}, "", diskstore.InvalidPart},
		"another checksum":         {u.ID, []diskstore.CompletedPart{wrong}, "", diskstore.InvalidPart},
		"a small part in between":  {u.ID, []diskstore.CompletedPart{small, last}, "", diskstore.EntityTooSmall},
		"another checksum of all":  {u.ID, []diskstore.CompletedPart{one}, "AAAAAA==-1", diskstore.BadDigest},
		"larger than an object":    {u.ID, []diskstore.CompletedPart{one, large}, "", diskstore.EntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.CompleteUpload(t.Context(), "lab", "k", test.id, test.named, test.want, diskstore.Precondition{})
			e.refused("CompleteUpload", err, test.code)
			e.tidy(4)
		})
	}
	_, err := e.CompleteUpload(t.Context(), "lab", "k", u.ID, []diskstore.CompletedPart{one, e.part(u, 4, "12345678")}, "", diskstore.Precondition{})
	if err != nil {
		t.Errorf("CompleteUpload within the limits = %v", err)
	}
	e.tidy(1)
	u = e.upload("k", "", "")
	if list, err := e.Uploads(t.Context(), "lab", diskstore.Query{Max: 10}); err != nil || len(list.Items) != 1 || list.Items[0].ID != u.ID {
		t.Errorf("Uploads() = %+v, %v; want the one that is not ended", list, err)
	}
	e.part(u, 1, "x")
	if err := e.AbortUpload(t.Context(), "lab", "k", u.ID); err != nil {
		t.Fatal(err)
	}
	_, err = e.PutPart(t.Context(), "lab", "k", u.ID, 2, content("x"))
	e.refused("PutPart after AbortUpload", err, diskstore.NoSuchUpload)
	_, err = e.PutPart(t.Context(), "lab", "k", u.ID, diskstore.PartsMax+1, content("x"))
	e.refused("PutPart beyond the last", err, diskstore.InvalidArgument)
	_, err = e.CreateUpload(t.Context(), "lab", "k", diskstore.Attributes{}, diskstore.SHA256, diskstore.FullObject)
	e.refused("CreateUpload with a digest of all bytes", err, diskstore.InvalidRequest)
	e.tidy(1)
}

func TestParts(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	u := e.upload("k", "", "")
	for _, n := range []int{10, 1, 3} {
		e.part(u, n, "x")
	}
	list, more, err := e.Parts(t.Context(), "lab", "k", u.ID, 1, 1)
	if err != nil || len(list) != 1 || list[0].Number != 3 || !more {
		t.Errorf("Parts after 1 = %+v, more %v, %v; want 3 and more", list, more, err)
	}
	list, more, err = e.Parts(t.Context(), "lab", "k", u.ID, 3, 1)
	if err != nil || len(list) != 1 || list[0].Number != 10 || more {
		t.Errorf("Parts after 3 = %+v, more %v, %v; want 10 and no more", list, more, err)
	}
}

// Uploads that are never ended cannot fill the index: their number is bounded, and
// ending one makes room for the next.
func TestOpenUploadsAreBounded(t *testing.T) {
	e := newEnv(t, diskstore.Limits{Uploads: 3})
	var open []diskstore.Upload
	for i := range 3 {
		open = append(open, e.upload(fmt.Sprint(i), "", ""))
	}
	create := func() error {
		_, err := e.CreateUpload(t.Context(), "lab", "more", diskstore.Attributes{}, "", "")
		return err
	}
	e.refused("a fourth", create(), diskstore.QuotaExceeded)
	if err := e.AbortUpload(t.Context(), "lab", open[0].Key, open[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := create(); err != nil {
		t.Errorf("after one was aborted: %v", err)
	}
	e.refused("a fourth again", create(), diskstore.QuotaExceeded)
}
