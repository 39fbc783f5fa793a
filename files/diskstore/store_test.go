package diskstore_test

import (
	"context"
	"crypto/md5"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/files/diskstore"
)

func TestPutGetDelete(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	for _, key := range []string{"a", "../../etc/passwd", "a/b/../c", ".", strings.Repeat("ä", 512), "a b\n\\:*?\"<>|", "/lead", "tail/"} {
		e.put(key, "of "+key)
		if got := e.get(key, ""); got != "of "+key {
			t.Errorf("the content of %q is %q", key, got)
		}
	}
	e.tidy(8)
	e.put("a", "again")
	if got := e.get("a", ""); got != "again" {
		t.Errorf("what was put again is %q", got)
	}
	e.tidy(8)
	if _, err := e.Delete(t.Context(), "lab", "a", ""); err != nil {
		t.Error(err)
	}
	if got := e.get("a", ""); got != "NoSuchKey" {
		t.Errorf("what was deleted is %q", got)
	}
	if _, err := e.Delete(t.Context(), "lab", "a", ""); err != nil {
		t.Errorf("Delete of what is not there = %v, want no error", err)
	}
	e.tidy(7)
}

func TestPutRefuses(t *testing.T) {
	e := newEnv(t, diskstore.Limits{ObjectSize: 10, Quota: 15})
	e.put("there", "12345")
	sum := md5.Sum([]byte("123"))
	for name, test := range map[string]struct {
		bucket, key string
		c           diskstore.Content
		p           diskstore.Precondition
		want        diskstore.Code
	}{
		"no bucket":                     {"none", "k", content("x"), diskstore.Precondition{}, diskstore.NoSuchBucket},
		"no bucket's name":              {"a\x00b", "k", content("x"), diskstore.Precondition{}, diskstore.NoSuchBucket},
		"no key":                        {"lab", "", content("x"), diskstore.Precondition{}, diskstore.InvalidArgument},
		"a key with NUL":                {"lab", "a\x00b", content("x"), diskstore.Precondition{}, diskstore.InvalidArgument},
		"a key that is too long":        {"lab", strings.Repeat("k", 1025), content("x"), diskstore.Precondition{}, diskstore.KeyTooLong},
		"too large, as announced":       {"lab", "k", content("12345678901"), diskstore.Precondition{}, diskstore.EntityTooLarge},
		"too large, as it turns out":    {"lab", "k", diskstore.Content{Body: strings.NewReader("12345678901"), Size: -1}, diskstore.Precondition{}, diskstore.EntityTooLarge},
		"shorter than announced":        {"lab", "k", diskstore.Content{Body: strings.NewReader("123"), Size: 4}, diskstore.Precondition{}, diskstore.IncompleteBody},
		"another MD5":                   {"lab", "k", diskstore.Content{Body: strings.NewReader("1234"), Size: 4, MD5: sum[:]}, diskstore.Precondition{}, diskstore.BadDigest},
		"another checksum":              {"lab", "k", diskstore.Content{Body: strings.NewReader("1234"), Size: 4, Algorithm: diskstore.CRC32, Want: func() string { return "AAAAAA==" }}, diskstore.Precondition{}, diskstore.BadDigest},
		"there although it must not be": {"lab", "there", content("x"), diskstore.Precondition{Absent: true}, diskstore.PreconditionFailed},
		"another than is there":         {"lab", "there", content("x"), diskstore.Precondition{ETag: "ff"}, diskstore.PreconditionFailed},
		"not there although it must be": {"lab", "k", content("x"), diskstore.Precondition{ETag: "ff"}, diskstore.NoSuchKey},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Put(t.Context(), test.bucket, test.key, test.c, diskstore.Attributes{}, test.p)
			e.refused("Put", err, test.want)
			e.tidy(1)
		})
	}
	e.put("more", "1234567890")
	_, err := e.Put(t.Context(), "lab", "k", content("x"), diskstore.Attributes{}, diskstore.Precondition{})
	e.refused("Put into a full store", err, diskstore.QuotaExceeded)
	_, err = e.Copy(t.Context(), "lab", "there", "", "lab", "k", nil)
	e.refused("Copy into a full store", err, diskstore.QuotaExceeded)
	e.tidy(2)
}

func TestABrokenBodyLeavesNoTrace(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	e.put("k", "before")
	_, err := e.Put(t.Context(), "lab", "k", diskstore.Content{Body: broken("half"), Size: 8}, diskstore.Attributes{}, diskstore.Precondition{})
	if err == nil || e.get("k", "") != "before" {
		t.Errorf("Put of a broken body = %v, and the object is %q", err, e.get("k", ""))
	}
	e.tidy(1)
}

func TestBuckets(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	e.refused("a bucket that is there", e.CreateBucket(t.Context(), "lab"), diskstore.BucketExists)
	e.refused("a bad name", e.CreateBucket(t.Context(), "Lab"), diskstore.InvalidBucketName)
	e.refused("a bucket that is not", e.DeleteBucket(t.Context(), "none"), diskstore.NoSuchBucket)
	e.put("k", "v")
	e.refused("a bucket with an object", e.DeleteBucket(t.Context(), "lab"), diskstore.BucketNotEmpty)
	if err := e.CreateBucket(t.Context(), "lab2"); err != nil {
		t.Fatal(err)
	}
	list, err := e.Buckets(t.Context())
	if err != nil || len(list) != 2 || list[0].Name != "lab" || list[1].Name != "lab2" || !list[0].Created.Equal(e.now) {
		t.Errorf("Buckets() = %v, %v", list, err)
	}
	if err := e.DeleteBucket(t.Context(), "lab2"); err != nil {
		t.Errorf("DeleteBucket of an empty one beside one that is not = %v", err)
	}
}

func TestCopySharesTheContent(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	if _, err := e.Put(t.Context(), "lab", "a", content("text"), diskstore.Attributes{Metadata: map[string]string{"by": "me"}}, diskstore.Precondition{}); err != nil {
		t.Fatal(err)
	}
	v, err := e.Copy(t.Context(), "lab", "a", "", "lab", "b", nil)
	if err != nil || v.Metadata["by"] != "me" {
		t.Errorf("Copy = %+v, %v", v, err)
	}
	if _, err := e.Delete(t.Context(), "lab", "a", ""); err != nil {
		t.Fatal(err)
	}
	if got := e.get("b", ""); got != "text" {
		t.Errorf("the copy of what was deleted is %q", got)
	}
	v, err = e.Copy(t.Context(), "lab", "b", "", "lab", "b", &diskstore.Attributes{Metadata: map[string]string{"by": "you"}})
	if err != nil || v.Metadata["by"] != "you" || e.get("b", "") != "text" {
		t.Errorf("Copy onto itself = %+v, %v", v, err)
	}
	e.tidy(1)
}

func TestAReaderKeepsWhatItOpened(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	e.put("k", "old")
	f, _, err := e.Open(t.Context(), "lab", "k", "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e.put("k", "new")
	b := make([]byte, 3)
	if _, err := f.Read(b); err != nil || string(b) != "old" {
		t.Errorf("what was opened before reads %q, %v", b, err)
	}
}

// swept starts Run and returns after its sweep.
func (e *env) swept(ctx context.Context, done chan<- error) {
	go func() { done <- e.Run(ctx) }()
	synctest.Wait()
}

// The next start removes what a crash left behind, and nothing else.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, diskstore.Limits{UploadLife: time.Hour})
		e.put("k", "kept")
		orphan := filepath.Join(e.dir, "ab", "abcdef0123456789abcdef0123456789")
		if err := os.MkdirAll(filepath.Dir(orphan), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(orphan, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		old, err := e.CreateUpload(t.Context(), "lab", "old", diskstore.Attributes{}, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.PutPart(t.Context(), "lab", "old", old.ID, 1, content("part")); err != nil {
			t.Fatal(err)
		}
		e.now = e.now.Add(2 * time.Hour)
		young, err := e.CreateUpload(t.Context(), "lab", "young", diskstore.Attributes{}, "", "")
		if err != nil {
			t.Fatal(err)
		}
		e.reopen(diskstore.Limits{UploadLife: time.Hour})
		e.runOnce()
		e.tidy(1)
		if got := e.get("k", ""); got != "kept" {
			t.Errorf("the object that was there is %q", got)
		}
		if _, err := e.Upload(t.Context(), "lab", "young", young.ID); err != nil {
			t.Errorf("the young upload: %v", err)
		}
		_, err = e.Upload(t.Context(), "lab", "old", old.ID)
		e.refused("the old upload", err, diskstore.NoSuchUpload)
	})
}

// A backup during which objects are deleted contains them all.
func TestHoldKeepsContentsForABackup(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	e.put("k", "v")
	release := e.Hold()
	e.put("k", "w")
	to := filepath.Join(t.TempDir(), "copy")
	if err := diskstore.CopyContents(e.dir, to); err != nil {
		t.Fatal(err)
	}
	release()
	e.tidy(1)
	e.dir = to
	if n, _ := e.files(); n != 2 {
		t.Errorf("the copy has %d contents, want the one that was replaced too", n)
	}
}

func TestObjects(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	e.put("k", "text")
	objects := e.Objects()
	for name, test := range map[string]struct {
		err  error
		want muster.Kind
	}{
		"no bucket":      {objects.CheckBucket(t.Context(), "none"), muster.NotFound},
		"a bad bucket":   {objects.CheckBucket(t.Context(), "NO"), muster.NotFound},
		"no object":      {second(objects.Stat(t.Context(), files.Object{Bucket: "lab", Key: "none"})), muster.NotFound},
		"no version":     {second(objects.Stat(t.Context(), files.Object{Bucket: "lab", Key: "k", Version: "v"})), muster.NotFound},
		"no key":         {second(objects.Stat(t.Context(), files.Object{Bucket: "lab"})), muster.Invalid},
		"over the limit": {third(objects.Open(t.Context(), files.Object{Bucket: "lab", Key: "k"}, 3)), muster.LimitExceeded},
	} {
		if e, ok := errors.AsType[*muster.Error](test.err); !ok || e.Kind != test.want {
			t.Errorf("%s: %v, want kind %d", name, test.err, test.want)
		}
	}
	body, info, err := objects.Open(t.Context(), files.Object{Bucket: "lab", Key: "k"}, 4)
	if err != nil || info.Size != 4 || info.Version != "" || info.ETag != `"1cb251ec0d568de6a929b520c4aed8d1"` {
		t.Fatalf("Open = %+v, %v", info, err)
	}
	body.Close()
}

func second[T any](_ T, err error) error        { return err }
func third[T, U any](_ T, _ U, err error) error { return err }
