"""What `--help` and `--guide` print."""

from __future__ import annotations

HELP = """\
Usage: caret-s3cmd [OPTIONS] COMMAND [ARGUMENTS]

The real s3cmd, with a session of two factors. Commands and options are s3cmd's
(caret-s3cmd --s3cmd-help); these are added, anywhere on the line:

  --register            register for a project; asks what it needs to know
  --usetest             use the test environment, to log in and for S3
  --project NAME        which of several projects that are registered
  --endpoint URL        where the gateway is; with --register
  --session-hours N     how long a new session is to last; an hour unless told
  --upload-id ID        finish an upload that broke off; with put and sync
  --print-token-for COMMAND
                        print the token that COMMAND needs, and nothing else
  -c, --config FILE     another file than ~/.s3cfg
  --guide               print how to begin
  --s3cmd-help          print s3cmd's own help
  --version, --help

It asks for user, password and one-time code where no session is in force.
"""

GUIDE = """\
1. Settings, if any, are s3cmd's, in ~/.s3cfg. Access keys are not needed there.

       host_base = s3.example.org
       use_https = True

2. Register, once for each project:

       caret-s3cmd --register

   The API key that it stores lets you log in, and gives no access by itself.

3. Make a bucket and upload. This takes the right to import.

       caret-s3cmd mb s3://mybucket
       caret-s3cmd put file s3://mybucket
       caret-s3cmd --multipart-chunk-size-mb=200 put file s3://mybucket
       caret-s3cmd --multipart-chunk-size-mb=200 sync dir s3://mybucket

   An upload that breaks off prints its id. To go on, sending only what is missing:

       caret-s3cmd --upload-id ID put file s3://mybucket
       caret-s3cmd --upload-id ID sync dir s3://mybucket

4. List and download. This takes the right to export.

       caret-s3cmd ls s3://export-bucket
       caret-s3cmd get s3://export-bucket/file
       caret-s3cmd sync s3://export-bucket/dir/ dir/

5. For transfers that take long, ask for a longer session before they begin:

       caret-s3cmd --session-hours=12 sync dir s3://mybucket

6. The test environment is registered by itself, and chosen anywhere on the line:

       caret-s3cmd --usetest --register
       caret-s3cmd --usetest ls s3://export-bucket
"""
