// The AWS SDK for JavaScript v3, with lib-storage and the presigner. NODE_PATH leads to them.
"use strict";

const assert = require("node:assert/strict");
const { Readable } = require("node:stream");
const { get } = require(process.env.AWS_ENDPOINT_URL.startsWith("https") ? "node:https" : "node:http");
const {
  S3Client, PutObjectCommand, GetObjectCommand, HeadObjectCommand, CopyObjectCommand, DeleteObjectsCommand,
  PutObjectTaggingCommand, GetObjectTaggingCommand, paginateListObjectsV2,
} = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const MIB = 1 << 20;
const LARGE = Buffer.alloc(12 * MIB + 17, "caret ");
const Bucket = process.env.BUCKET;
const s3 = new S3Client({ forcePathStyle: true });

async function read(Key, options = {}) {
  const answer = await s3.send(new GetObjectCommand({ Bucket, Key, ...options }));
  return Buffer.from(await answer.Body.transformToByteArray());
}

async function objects() {
  for (const Body of ["one", "two"]) {
    await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body, Metadata: { by: "js" }, ContentType: "text/plain" }));
  }
  assert.equal((await read("k", { VersionId: "HEAD^" })).toString(), "one");
  assert.equal((await read("k", { Range: "bytes=1-1" })).toString(), "w");
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }));
  assert.deepEqual([head.ContentLength, head.ContentType, head.Metadata], [3, "text/plain", { by: "js" }]);
  await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: "none" })), { name: "NoSuchKey" });
  const twice = new PutObjectCommand({ Bucket, Key: "k", Body: "three", IfNoneMatch: "*" });
  await assert.rejects(s3.send(twice), { name: "PreconditionFailed" });
}

async function checksums() {
  for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
    await s3.send(new PutObjectCommand({ Bucket, Key: "sum", Body: "v", ChecksumAlgorithm }));
    assert.equal((await read("sum", { ChecksumMode: "ENABLED" })).toString(), "v");
  }
}

async function streams() {
  const known = { Bucket, Key: "stream", Body: Readable.from([LARGE]), ContentLength: LARGE.length };
  await s3.send(new PutObjectCommand(known));
  assert.ok(LARGE.equals(await read("stream")));
  for (const Body of [LARGE, Readable.from([LARGE.subarray(0, 7 * MIB), LARGE.subarray(7 * MIB)])]) {
    const done = await new Upload({ client: s3, params: { Bucket, Key: "parts", Body }, partSize: 5 * MIB }).done();
    assert.match(done.ETag, /^"[0-9a-f]{64}-3"$/);
    assert.ok(LARGE.equals(await read("parts")));
  }
}

async function copiesAndTags() {
  const CopySource = `${Bucket}/${encodeURIComponent("k")}?versionId=HEAD%5E`;
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "three" }));
  await s3.send(new CopyObjectCommand({ Bucket, Key: "dir/ö +", CopySource }));
  assert.equal((await read("dir/ö +")).toString(), "two");
  const TagSet = [{ Key: "colour", Value: "green" }];
  await s3.send(new PutObjectTaggingCommand({ Bucket, Key: "k", Tagging: { TagSet } }));
  assert.deepEqual((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: "k" }))).TagSet, TagSet);
}

async function links() {
  const link = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "k" }), { expiresIn: 60 });
  const status = await new Promise((done, fail) => get(link, (answer) => done(answer.resume().statusCode)).on("error", fail));
  assert.equal(status, 200);
}

async function keys() {
  const found = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket })) {
    found.push(...(page.Contents ?? []).map((object) => object.Key));
  }
  return found;
}

async function listsAndDeletes() {
  const found = await keys();
  assert.deepEqual(found, ["dir/ö +", "k", "parts", "stream", "sum"]);
  await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: found.map((Key) => ({ Key })) } }));
  assert.deepEqual(await keys(), []);
}

(async () => {
  for (const use of [objects, checksums, streams, copiesAndTags, links, listsAndDeletes]) await use();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
