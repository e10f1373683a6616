"""Every bound in one place, each with its reason."""

from __future__ import annotations

INT_MAX = 2**53 - 1
"""Largest integer in canonical JSON: what an IEEE double holds exactly (RFC 8785, CON-1)."""

JSON_DEPTH_MAX = 16
"""CON-1; deep enough for every message, shallow enough that no decoder can be made to recurse far."""

TRANSACTION_BYTES_MAX = 64 * 1024
"""LED-2."""

BLOCK_TRANSACTIONS_MAX = 500
"""``ledger.md``: an embedded block holds at most this many."""

BLOCK_BYTES_MAX = 4 * 1024 * 1024
"""A block travels in one response; the same bound stands in CometBFT's default consensus parameters."""

MESSAGE_BYTES_MAX = 256 * 1024
"""One request or answer between members, other than tables and blocks."""

TOKEN_BYTES_MAX = 8 * 1024
"""A token with its terms is about 2.5 KiB; three times that leaves room for long lists of views."""

BUNDLE_BYTES_MAX = 16 * 1024 * 1024
"""One case of a few hundred records."""

NONCE_WINDOW = 64
"""LED-3."""

EXPIRY_AHEAD_MS_MAX = 24 * 3600 * 1000
"""LED-2."""

GRANTS_MIN = 32
"""AUTH-4: the smallest batch of consent grants; hides which grants belong together."""

GRANTS_MAX = 128
"""``ledger.md``; keeps a batch inside one transaction."""

GRANT_DAYS_AHEAD_MAX = 400
"""AUTH-4."""

TERMS_DAYS_MAX = 365
"""AUTH-1."""

PAUSES_PER_DAY_MAX = 4
"""AUTH-4: bounds what one consent key can write."""

DID_CHANGES_PER_DAY_MAX = 16
"""Versions of one DID in a calendar day, made by its present keys: every version is kept for good."""

DID_ROTATIONS_PER_DAY_MAX = 32
"""The same where a committed or recovery key signs: a thief of the present keys leaves it this room."""

DID_URL_CHARS_MAX = 2048
"""A DID URL with its parameters; what servers and proxies take in a request line anyway."""

DID_OPTIONS_BYTES_MAX = 8 * 1024
"""The options of a resolution as JSON: as many characters as a DID URL has, each escaped or of four bytes."""

DID_DOCUMENT_BYTES_MAX = 64 * 1024
"""A document that somebody else publishes: some hundred keys."""

HTTP_HEAD_SECONDS_MAX = 20
"""From the connection, or the first byte of a later request, to the end of its head; a proxy passes heads on whole."""

HTTP_BODY_PAUSE_SECONDS_MAX = 60
"""Between two pieces of a body that we are ready to read: longer than any retransmission, shorter than patience."""

DID_FETCH_SECONDS_MAX = 5
"""For all of a did:web fetch, name resolution and redirects included."""

DID_FETCH_REDIRECTS_MAX = 2
"""On one and the same host."""

DID_FETCHES_MAX = 8
"""Running at once: anybody inside the house may ask."""

DID_WEB_CACHE_MS = 60 * 1000
"""How long a did:web document is believed without asking again."""

DID_WEB_CACHE_MAX = 64
"""Documents remembered: 4 MiB at most."""

REQUEST_SKEW_MS = 5 * 60 * 1000
"""GATE-1."""

HEAD_FRESH_MS = 60 * 1000
"""GATE-4: a head statement older than this proves nothing about now."""

HEAD_ASK_MS = 20 * 1000
"""GATE-4: nodes ask this often, under both engines."""

ENGINE_STALL_MS = 10 * 1000
"""A block that is due and does not come for so long, while members answer: the engine is started again. More than the
rounds of a dead proposer or two; with a round of questions and a start it stays below the 30 s of ``ledger.md``."""

ENGINE_STALL_AGAIN_MS = 60 * 1000
"""Between two such starts: time to connect and to catch up."""

VIEW_ANSWERS_MAX = 2**24
"""GATE-0: answers under one view key."""

DISPUTE_WINDOW_DAYS = 14
"""GATE-0, PIR-5: a view key is kept this long after its epoch for disputes, then erased."""

CREDENTIAL_PERIOD_MS = 90 * 24 * 3600 * 1000
"""ID-7, B13."""

CREDENTIAL_OVERLAP_MS = 7 * 24 * 3600 * 1000
"""GATE-5."""

ANCHOR_LEAVES_MAX = 4096
"""EV-3."""

ANCHOR_INTERVAL_MS = 1000
"""EV-3."""

PROMISE_MS = 60 * 1000
"""EV-3."""

CSV_ROWS_MAX = 20_000_000
"""A broker's whole client base with room; beyond it a file is more likely wrong than large."""

CSV_FIELD_CHARS_MAX = 1000
"""No field of the source format is longer than a name or an address."""

ANONYMITY_SET_MIN = 100
"""AUTH-1: a value shared by fewer people than this makes a token less anonymous; the wallet warns."""

QUERY_VIEWS_MAX = 16
"""Views in one gate request: more than any registered task asks, and it bounds the work of one call."""

SNAPSHOT_CHUNK_BYTES = 8 * 1024 * 1024
"""LED-8."""

SCHEMA_MAX = 3
"""LED-7: the newest schema that this software knows."""

SCHEMA_DEFAULT = 2
"""What a new network begins with; later schemas come by vote, once every member has software that knows them."""

CHECKPOINT_BYTES_MAX = 16 * 1024 * 1024
"""Description of a checkpoint: a digest for each of ``SNAPSHOT_CHUNKS_MAX`` chunks and the signers' changes."""

CHECKPOINT_WRITES_MIN = 20_000
"""LED-9: state writes and log entries between checkpoints, or half of all there are if that is more: a restart repeats
a second's work, and writing checkpoints costs a bounded part of what writing blocks does."""

SNAPSHOT_CHUNKS_MAX = 2**16
"""512 GiB: far beyond what a state in memory holds."""

PROVABLE_HEIGHTS = 16
"""Heights below the head that proofs are still made for: CometBFT signs an application hash one block later."""

BLOCK_INTERVAL_MS = 20
"""``ledger.md``: an embedded block waits at most this long for company."""

HEARTBEAT_MS = 10 * 60 * 1000
"""``ledger.md``: block time never stands still for longer than this."""

AMOUNT_YUAN_MAX = 2**40 - 1
"""ZKS-1: amounts are in [0, 2^40) yuan; about 1.1 million million, beyond any one client."""

CSV_PROBLEMS_MAX = 100
"""Problems listed in one report on a source; who fixes these will find the next on the next run."""

RECORD_DOCUMENTS_MAX = 64
"""EV-1: documents of one act; a whole account opening has about ten."""

DOCUMENT_BYTES_MAX = 32 * 1024 * 1024
"""A scanned agreement or a short recording reference; recordings themselves are kept elsewhere by digest."""

EVIDENCE_BATCH_MAX = 1024
"""Records in one request: one durable commit for all of them, made within about a tenth of a second."""

BUNDLE_RECORDS_MAX = 4096
"""EV-4: records of one case; keeps a bundle inside ``BUNDLE_BYTES_MAX``."""

MERKLE_PATH_MAX = 64
"""Nodes of one inclusion path: a tree of 2^64 entries."""

SIGNER_CHANGES_MAX = 4096
"""EV-4: a sequencer that changes its key daily for ten years."""

DATASET_VIEWS_MAX = 64
"""Views of one dataset: every registered bundle in every registered form, with room."""

EPOCH_MS_MAX = 366 * 24 * 3600 * 1000
"""A view key lives at most a year: it opens its whole table if it leaks (GATE-0)."""

EPOCH_DIRECT_MAX = 20_000
"""People up to whom an epoch is opened while the operator waits, some seconds; more of them are a job."""

TABLE_COLUMNS_MAX = 2**16
"""PIR-2."""

TASK_VIEWS_MAX = 512
"""Views of one task over all providers; with the providers it stays inside one transaction."""

TASK_PROVIDERS_MAX = 140
"""More members than the largest alliance the design is measured for."""

TASK_MS_MAX = 366 * 24 * 3600 * 1000
"""A task contract is renewed yearly, with its impact assessment."""

CONSENT_KEPT_DAYS = 30
"""AUTH-4: a consent record is kept this long after not_after."""

CONSENT_PRUNE_MAX = 128
"""Records that one batch of grants clears away; no more than it can add."""

GRANT_FLUSH_MS = 5 * 1000
"""AUTH-4, ``ledger.md``: a grant waits at most this long before its batch is filled up with dummies."""

ENROLMENT_NONCE_MS = 10 * 60 * 1000
"""ID-7: time for the wallet to answer an issuer's challenge."""

ENROLMENT_CHALLENGES_MAX = 20_000
"""Open ones that a member keeps, some 2 MB: whoever reaches the wallets' inbox may ask. 33 enrolments a second."""

CONSENT_TOKENS_MAX = 64
"""AUTH-3: tokens under one named consent, one a provider; keeps a submission inside ``MESSAGE_BYTES_MAX``."""

PENDING_TRANSACTIONS_MAX = 20 * BLOCK_TRANSACTIONS_MAX
"""Transactions that may wait for a block: about a second's worth; more would only wait in vain."""

FOLLOW_POLL_MS = 250
"""How often a follower asks the sequencer for blocks when nothing nudges it."""

RECEIPT_WAIT_MS = 30 * 1000
"""How long a submitter waits for its block before it is told that the result is not known yet."""

TRANSACTION_LIFE_MS = 3600 * 1000
"""A sender's transactions live for an hour: far below LED-3's 23 h, and long enough for any queue."""

OUTBOX_KEEP_MS = 24 * 3600 * 1000
"""How long the repeat of a member's act is told of the first: longer than any client goes on trying."""

WALLET_BYTES_MAX = 8 * 1024 * 1024
"""A wallet with some hundred consents and its access log."""

ACCESS_CHALLENGE_MS = 2 * 60 * 1000
"""Time for a wallet to sign a question about the uses of its consent."""

ACCESS_USES_MAX = 32
"""Uses in one answer, with sixteen views each about 140 KiB; the next are asked for by number."""

ACCESS_NONCES_MAX = 100_000
"""Questions that a node remembers as asked while their challenges live; more are refused for the moment."""

WALLET_ROTATIONS_MAX = 4096
"""ID-3: rotations of a wallet's DID under one reserve, a decade at one a day; its place is found by trying."""

WALLET_FORMER_SEEDS_MAX = 16
"""Stolen devices in one wallet's life; consents of before the last of them have long run out."""

WALLET_DOCUMENTS_MAX = 64
"""Verifiable Credentials in one wallet; with ``WALLET_DOCUMENT_BYTES_MAX`` they leave room for everything else."""

WALLET_DOCUMENT_BYTES_MAX = 64 * 1024
"""One Verifiable Credential in a wallet: ours have about 2 KiB; one with a photograph is kept elsewhere."""

SOURCE_BYTES_MAX = 256 * 1024 * 1024
"""One source file sent to the internal API: a million customers are about 120 MB."""

TABLE_BYTES_MAX = 512 * 1024 * 1024
"""The largest answer of a peer: the table of 20 million entries with its boundaries."""

BLOCKS_ANSWER_MAX = 8
"""Blocks in one answer to a follower: eight of the largest are 32 MiB."""

GENESIS_BYTES_MAX = 4 * 1024 * 1024
"""256 founders with their certificates."""

PEER_CONNECT_S = 5
"""A member's node on any network between members answers a handshake within this; else it is down."""

PEER_ANSWER_S = 20
"""The longest silence of a peer during one request; a query goes on without it after that."""

PEER_TRANSFER_S = 15 * 60
"""The longest transfer, that of a table of ``TABLE_BYTES_MAX`` at 5 Mbit/s; stops a peer that answers in drips."""

PEER_CONNECTIONS_MAX = 32
"""Connections from this node to one peer: more would only queue at its two or four cores."""

PROBLEM_BYTES_MAX = 16 * 1024
"""A problem+json is a code and two sentences."""

FORM_BYTES_MAX = 4 * 1024 * 1024
"""One JSON form of the internal API: a step of a procedure with a few documents as text."""

CATCH_UP_MS = 2000
"""GATE-4: how long a question waits for blocks that another member has shown before it is refused as stale."""

GATE_BATCH_MAX = 256
"""Requests in one call of the batched gate: the shared pairings have paid off by then, and a call ends in a second."""

GATE_BATCH_BYTES_MAX = 4 * 1024 * 1024
"""A batch of calls: each is about 4 KiB, twice in base64."""

GATE_CHUNK_MIN = 16
"""Fewer tokens are not spread over workers: below this the part of the work that they share outweighs the gain."""

GATE_WORKERS_MAX = 64
"""Worker processes of one node: more than the cores of any machine it is meant for."""

PIR_TABLES_MAX = 64
"""Tables that a node keeps laid out in memory to be asked in private: 22 MiB each at a million people."""

PIR_VECTOR_BYTES_MAX = 4 * TABLE_COLUMNS_MAX
"""One word a column (PIR-2)."""

MATRICES_BYTES_MAX = 512 * 1024 * 1024
"""Expanded matrices that a requester keeps in memory: ten views of a million people, or two of ten million."""

ABCI_MESSAGE_BYTES_MAX = 32 * 1024 * 1024
"""One message of CometBFT: a block of 4 MiB or a snapshot chunk of 8 MiB, with room."""

ABCI_HELD_BYTES_MAX = 2 * ABCI_MESSAGE_BYTES_MAX
"""Bytes of the engine that wait on one connection: more than its mempool sends while a node executes a block."""

COMET_BLOCK_TRANSACTIONS_MAX = 2000
"""Transactions that a proposer puts into one CometBFT block: about a second of execution."""

JOBS_RUNNING_MAX = 16
"""Long works of a node at once: more than the datasets and views an operator handles in one go."""

JOBS_KEPT = 100
"""Ended jobs that a node remembers: enough to look back over a day."""

INCIDENT_CONTAINS_MAX = 64
"""What one incident may stop; a larger accident is one of the whole network."""

VALIDATORS_MAX = 256
"""As many validators as genesis may have founders."""

MAPPING_BYTES_MAX = 64 * 1024
"""A mapping of fourteen fields with a few hundred code values."""

MAPPING_VALUES_MAX = 500
"""Code values of one field in a mapping: more than any list of products or document kinds."""

SOURCE_COLUMNS_MAX = 500
"""Columns of a source: a wide export with room."""

SOURCE_MEMORY_MB_MAX = 256
"""What DuckDB may hold of a source and of the check for doubles; beyond it writes to a scratch folder."""

UPLOADS_MAX = 4
"""Sources waiting on a node to be loaded: more are forgotten ones, and each may be large."""

UPLOAD_BYTES_MAX = 4 * 1024 * 1024 * 1024
"""One source sent to be loaded as a job, kept on disk meanwhile: 20 million customers of 200 bytes."""

SNAPSHOT_BLOCKS = 1000
"""Blocks between two snapshots for state sync: minutes under load, and a restart replays no more than these."""

PRUNE_EVERY_BLOCKS = 100
"""Blocks between two looks at what may be dropped: seconds under load, and one statement for all of them."""

KEEP_BLOCKS_MIN = 1000
"""As many as lie between two snapshots: below the older of them nothing is dropped anyway."""

SNAPSHOT_OFFER_BYTES_MAX = 4 * 1000 * 1000 - 4096
"""What CometBFT takes in one snapshot message, less its other fields."""

NOTE_BYTES_MAX = 64 * 1024
"""A checkpoint note: 16 signatures must be taken (signed-note), and this has room for ``NOTE_SIGNATURES_MAX``."""

TRUST_BYTES_MAX = 256 * 1024
"""A trust file with the keys of as many witnesses as a note has signatures, and one pinned note."""

WITNESSES_MAX = 64
"""Witness nodes that one member lists; regulators and auditors of one alliance are a handful."""

NOTE_SIGNATURES_MAX = 256
"""As many members as genesis may have, each cosigning once."""

CHECKPOINT_NEEDED_MS = 365 * 24 * 3600 * 1000
"""EV-6: a record older than this needs a checkpoint with a cosignature."""

COSIGNATURE_SKEW_MS = 5 * 60 * 1000
"""Clocks of cosigners and of whoever verifies differ by less (as for ``REQUEST_SKEW_MS``)."""

CHECKPOINT_RENEWAL_MS = 3 * 365 * 24 * 3600 * 1000
"""EV-6: a checkpoint cosigned longer ago than this has to be renewed."""

ENGINE_CONNECTIONS_MAX = 64
"""Calls that a node has open to its own engine: enough to keep it busy, each waits for one look at the door."""

CONTEXT_BYTES_MAX = 64 * 1024
"""A published JSON-LD context; the largest in our closed store has 10 KiB."""

RDF_BLANK_NODES_MAX = 256
"""Blank nodes of one document: some fifty times what a credential needs."""

RDF_WORK_MAX = 20_000
"""Steps of RDFC-1.0 in one document: honest credentials take a few hundred, a poisoned graph grows with n!."""

RDF_QUADS_MAX = 2048
"""Statements of one document, and values before it is expanded, which takes a third of a millisecond each."""

CONTEXTS_MAX = 16
"""Contexts that one object names; each is applied anew."""

PROOFS_MAX = 16
"""Proofs of one document, each of which costs a canonicalisation."""

CLOCK_SKEW_MS = 5 * 60 * 1000
"""By how much two well-kept clocks of different houses may differ; the same as GATE-1 allows."""

SD_POINTERS_MAX = 256
"""JSON pointers of a selective disclosure: more than a credential has members."""

SD_VALUE_CHARS_MAX = 512 * 1024
"""A selective-disclosure proof value: 88 characters a statement, of which there are at most ``RDF_QUADS_MAX``."""

PRESENTED_MAX = 32
"""Credentials of one presentation, each of which is verified."""

CREDENTIAL_BYTES_MAX = 256 * 1024
"""A credential or presentation as it comes in; ours have a few KiB, a photograph in one fits."""

STATUS_LIST_BITS_MIN = 131_072
"""Bitstring Status List 1.0: 16 KB, so that one index hides among as many."""

STATUS_LIST_BYTES_MAX = 1024 * 1024
"""Unpacked; 8 Mbit. Compressed zeros shrink a thousandfold, so the bound stands on what comes out."""

STATUS_DOCUMENT_BYTES_MAX = 2 * 1024 * 1024
"""A signed status list as it comes in: a list of the largest size that no compression shrinks, in base64url."""

STATUS_LIST_FILL_MAX = STATUS_LIST_BITS_MIN // 2
"""Entries taken before another list is opened: half full, so that a free one is found at once."""

STATUS_TTL_MS_MAX = 24 * 3600 * 1000
"""Longest that a status list is served from the cache, whatever its ttl says: a revocation must arrive."""

STATUS_LISTS_KEPT = 64
"""Status lists in a node's cache: one or two for each issuer and purpose."""

CONFORMANCE_BYTES_MAX = 1024 * 1024
"""A request of a public suite: a presentation of several credentials."""

DCQL_BYTES_MAX = 32 * 1024
"""A DCQL query as it comes in; the text's own examples have under 2 KiB."""

DCQL_CREDENTIALS_MAX = 16
"""Credential queries of one request: twice the alliance's kinds, and each is matched with every credential held."""

DCQL_CLAIMS_MAX = 64
"""Claims of a credential query, and names in one of its sets; our kinds have under twenty."""

DCQL_CLAIMS_TOTAL_MAX = 256
"""Claims of a whole query, each of which is looked for in every credential held."""

DCQL_PATH_MAX = 16
"""Steps of a claims path pointer: as deep as a document may be (``JSON_DEPTH_MAX``)."""

DCQL_VALUES_MAX = 64
"""Values, types or authorities that one query names."""

DCQL_SETS_MAX = 32
"""Alternatives of a set, and sets of a query."""

DCQL_SELECTED_MAX = 1024
"""Elements that one claims path selects; a null multiplies them. With 256 claims a tenth of a second a credential."""

DCQL_TEXT_MAX = 300
"""Characters of a name, type or authority in a query."""

OPENID_JWT_BYTES_MAX = 64 * 1024
"""A proof of possession or a request object as it comes in: the largest DCQL query, and as much around it."""

OPENID_PROOF_MS = 5 * 60 * 1000
"""Age of a wallet's proof of possession: it is made for one request; its nonce lives as long."""

OPENID_NONCE_MS = 5 * 60 * 1000
"""Life of a c_nonce: a person may have to unlock a key in between."""

OPENID_CODE_MS = 10 * 60 * 1000
"""Life of a pre-authorised code: a QR code scanned and a transaction code typed in (OpenID4VCI 1.0: short lived)."""

OPENID_TOKEN_MS = 5 * 60 * 1000
"""Life of an access token, which serves one offer."""

OPENID_REQUEST_MS = 10 * 60 * 1000
"""Life of a presentation request, and afterwards of its result in memory."""

OPENID_TX_CODE_DIGITS = 6
"""With OPENID_ATTEMPTS_MAX guesses a stranger hits one code in 200,000."""

OPENID_ATTEMPTS_MAX = 5
"""Wrong transaction codes before an offer is dead, and refused answers before a presentation request is."""

OPENID_KEPT_MAX = 10_000
"""Offers, tokens, used nonces and requests kept in memory, each kind: some 30 MB at most, then new ones wait."""

OPENID_OFFER_CREDENTIALS_MAX = 8
"""Credentials of one offer: as many as the alliance has kinds."""

OPENID_BODY_BYTES_MAX = 1024 * 1024
"""A request of a wallet: a presentation of the largest credential in base64url and form encoding."""

OPENID_FORM_FIELDS_MAX = 32
"""Parameters of one form of a wallet; the texts define under ten for each."""

OPENID_CLIENTS_MAX = 10_000
"""Addresses whose requests are counted; the oldest make room."""
