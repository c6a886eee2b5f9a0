"""Every kind of finding, once.

``ADL0`` document · ``ADL1`` YAML and values · ``ADL2`` structure · ``ADL3`` references, libraries, signatures ·
``ADL4`` namespaces and layers · ``ADL5`` permissions, resources, budgets · ``ADL6`` templates and data flow ·
``ADL7`` what the caller of a generation asked for.

Of documents that are valid, what `lint` alone finds: ``ADL8`` what could be better (``80`` contracts, ``81``
permissions, ``82`` budgets, ``83`` templates, ``84`` security, ``85`` style, ``86`` structure) · ``ADL9`` who else
reads it (``90`` models that are to call it, ``91`` the reference executor, ``99`` the comments that steer lint).

Of skills, which are no documents: ``SKL0`` the files of a skill · ``SKL1`` front matter · ``SKL2`` body and resources ·
``SKL3`` skills together.
"""

from __future__ import annotations

from agentic_dsl.diagnostics import Code, Severity

_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

# ADL0: the document
TOO_LARGE = Code("ADL001", "document-too-large", _E, "The text is larger than 8 MiB.")
NOT_TEXT = Code("ADL002", "not-text", _E, "The file is not UTF-8, or holds code points that no text has.")
NO_BLOCK = Code("ADL003", "no-block", _W, "The document holds no AgenticDSL block.")
HEADING_WITHOUT_BLOCK = Code(
    "ADL004", "heading-without-block", _E, "An AgenticDSL heading is not followed by a fenced block."
)
HEADING_WITHOUT_PATH = Code("ADL005", "heading-without-path", _E, "An AgenticDSL heading names no path.")
UNTERMINATED_BLOCK = Code("ADL006", "unterminated-block", _E, "A fenced block is never closed.")
BAD_MARKER = Code("ADL007", "bad-marker", _W, "A BEGIN or END marker has no partner or stands in the wrong place.")
UNKNOWN_BLOCK_KIND = Code("ADL008", "unknown-block-kind", _E, "A block is none of the kinds that the language has.")
UNATTACHED_SELF = Code("ADL009", "unattached-self", _E, "A /self block has no block before it to belong to.")
WRONG_FENCE = Code("ADL010", "wrong-fence", _E, "The fence of a block names a language that is not YAML.")
DOCUMENT_NODE_LIMIT = Code("ADL011", "document-node-limit", _E, "The document holds more than 10,000 nodes.")

# ADL1: YAML and values
YAML_SYNTAX = Code("ADL101", "yaml-syntax", _E, "The body of a block is not YAML.")
DUPLICATE_KEY = Code("ADL102", "duplicate-key", _E, "A mapping holds the same key twice.")
YAML_TAG = Code("ADL103", "yaml-tag", _E, "A YAML tag is used; AgenticDSL has none.")
YAML_LIMIT = Code("ADL104", "yaml-limit", _E, "Aliases expand, or values nest, beyond the limits.")
NOT_ONE_DOCUMENT = Code("ADL105", "not-one-document", _E, "A block holds no YAML mapping, or more than one document.")
UNKNOWN_KEY = Code("ADL106", "unknown-key", _W, "A key that this block or node type does not have.")
MISSING_FIELD = Code("ADL107", "missing-field", _E, "A required field is missing.")
WRONG_TYPE = Code("ADL108", "wrong-type", _E, "A value is of another type than the field's.")
WRONG_VALUE = Code("ADL109", "wrong-value", _E, "A value is not one of those that the field can have.")
BAD_ID = Code("ADL110", "bad-id", _E, "An id is not made of letters, digits, _ and -.")
BAD_PATH = Code("ADL111", "bad-path", _E, "A path does not follow the rules for paths.")
BAD_REFERENCE = Code("ADL112", "bad-reference", _E, "A reference is none of the forms that the language has.")
BAD_SIGNATURE = Code("ADL113", "bad-signature", _E, "A signature cannot be read.", "ERR_SIGNATURE_VIOLATION")
BAD_PERMISSION = Code("ADL114", "bad-permission", _E, "A permission cannot be read.")
BAD_ARCHIVE = Code("ADL115", "bad-archive", _E, 'An on_success is not of the form archive_to("/path").')
TEXT_LIMIT = Code(
    "ADL116", "text-limit", _E, "Signatures, permissions and library references are too many or too long to be read."
)
DEPRECATED_SPELLING = Code("ADL120", "deprecated-spelling", _W, "An old spelling is read but should be renewed.")
FIELD_NOT_ALLOWED = Code("ADL121", "field-not-allowed", _E, "A field that a node of this type cannot have.")
DROPPED_FIELD = Code("ADL122", "dropped-field", _I, "A field that is accepted and has no effect.")

# ADL2: structure
DUPLICATE_ID = Code("ADL201", "duplicate-id", _E, "Two nodes of one subgraph share an id.")
DUPLICATE_PATH = Code("ADL202", "duplicate-path", _E, "Two blocks share a path and major version.")
CYCLE = Code("ADL203", "cycle", _E, "Nodes wait for each other in a circle.")
UNREACHABLE = Code("ADL204", "unreachable-node", _E, "No path leads from the entry to a node.")
NO_SUCCESSOR = Code("ADL205", "no-successor", _E, "A node that is no end leads nowhere.")
MISPLACED_START = Code("ADL206", "misplaced-start", _E, "A start node is not the entry, or there are two.")
FEW_BRANCHES = Code("ADL207", "few-branches", _W, "A fork has fewer than two branches.")
BAD_LIST = Code("ADL208", "bad-reference-list", _E, "A reference list mixes calls, nodes and ends wrongly.")
JOIN_JUMP_EDGE = Code("ADL209", "join-jump-edge", _E, "A join is entered by a jump edge.")
JOIN_GUARDS = Code("ADL210", "join-guards", _E, "The edges into a join are not taken under the same condition.")
JOIN_WAIT_FOR = Code("ADL211", "join-wait-for", _E, "A join's wait_for does not name exactly its sources.")
EMPTY_SUBGRAPH = Code("ADL212", "empty-subgraph", _E, "A subgraph has no nodes.")
MISSING_ENTRY_POINT = Code(
    "ADL213",
    "missing-entry-point",
    _E,
    "An application names no entry point, or one that is not there.",
    "ERR_MISSING_ENTRY_POINT",
)
UNKNOWN_ENTRY = Code("ADL214", "unknown-entry", _E, "A subgraph's entry names no node of it.")
DUPLICATE_BRANCH = Code("ADL215", "duplicate-reference", _E, "A reference list names the same target twice.")
END_HAS_SUCCESSOR = Code("ADL216", "end-has-successor", _E, "An end, or a resource, has outgoing edges.")

# ADL3: references, libraries, signatures
DANGLING = Code("ADL301", "dangling-reference", _E, "A reference names nothing that exists.")
TEMPLATE_REFERENCE = Code("ADL302", "template-reference", _E, "A reference is only known at run time.")
UNRESOLVED_REQUIRE = Code("ADL303", "unresolved-require", _E, "No library entry satisfies a required range.")
NO_SUCH_VERSION = Code("ADL304", "no-such-version", _E, "A library entry exists, but not in the version named.")
MISSING_INPUT = Code("ADL305", "missing-input", _E, "A library call lacks a required input.", "ERR_SIGNATURE_VIOLATION")
UNKNOWN_INPUT = Code(
    "ADL306",
    "unknown-input",
    _E,
    "A library call passes an input that its signature lacks.",
    "ERR_SIGNATURE_VIOLATION",
)
CALL_OUTSIDE_NEXT = Code("ADL307", "call-outside-next", _E, "A library is called elsewhere than in a next list.")
OUTPUT_NOT_WRITTEN = Code(
    "ADL308",
    "output-not-written",
    _E,
    "An output is not written on every way to an end.",
    "ERR_SIGNATURE_VIOLATION",
)
DUPLICATE_PARAMETER = Code(
    "ADL309", "duplicate-parameter", _E, "A signature names a parameter twice.", "ERR_SIGNATURE_VIOLATION"
)
UNKNOWN_FIELD_TYPE = Code(
    "ADL310",
    "unknown-type-name",
    _E,
    "A signature names a type that the language lacks.",
    "ERR_SIGNATURE_VIOLATION",
)
BAD_INPUT = Code("ADL311", "bad-input", _E, "A library call passes a value of another type.", "ERR_SIGNATURE_VIOLATION")

# ADL4: namespaces and layers
NAMESPACE = Code("ADL401", "namespace", _E, "A block stands where its author may not write.", "ERR_NAMESPACE_VIOLATION")
NAMESPACE_DISABLED = Code(
    "ADL402", "namespace-disabled", _E, "The /app namespace is switched off.", "ERR_NAMESPACE_DISABLED"
)
SIGNATURE_REQUIRED = Code(
    "ADL403", "signature-required", _E, "A library subgraph has no signature.", "ERR_SIGNATURE_REQUIRED"
)
LAYER = Code(
    "ADL404",
    "layer",
    _E,
    "A node type that the layer of its library must not use.",
    "ERR_NAMESPACE_VIOLATION",
)
RESERVED_NAME = Code("ADL405", "reserved-name", _E, "A name beginning with __ is reserved.", "ERR_NAMESPACE_VIOLATION")
UNKNOWN_TYPE = Code(
    "ADL406", "unknown-node-type", _E, "A node type that the language lacks.", "ERR_UNSUPPORTED_CAPABILITY"
)

# ADL5: permissions, resources, budgets
UNDECLARED_RESOURCE = Code(
    "ADL501",
    "undeclared-resource",
    _E,
    "A tool or runtime is used and not declared.",
    "ERR_RESOURCE_UNAVAILABLE",
)
NO_RESOURCES = Code(
    "ADL502",
    "no-resources-block",
    _W,
    "A production application calls tools and declares no resources.",
    "ERR_RESOURCE_UNAVAILABLE",
)
PERMISSION_EXCEEDED = Code(
    "ADL503",
    "permission-exceeded",
    _E,
    "A node asks for more than its subgraph has.",
    "ERR_RESOURCE_UNAVAILABLE",
)
TOO_MANY_NODES = Code(
    "ADL504", "too-many-nodes", _E, "There are more nodes than the budget allows.", "ERR_BUDGET_EXCEEDED"
)
DEPTH_EXCEEDED = Code(
    "ADL505",
    "depth-exceeded",
    _E,
    "Generation is nested deeper than the budget allows.",
    "ERR_BUDGET_EXCEEDED",
)
GENERATION_CYCLE = Code("ADL506", "generation-cycle", _E, "Subgraphs reach themselves again.", "ERR_BUDGET_EXCEEDED")
BAD_ARGUMENT = Code(
    "ADL507", "bad-argument", _E, "An argument does not fit the tool's schema.", "ERR_RESOURCE_UNAVAILABLE"
)
MISSING_ARGUMENT = Code(
    "ADL508", "missing-argument", _E, "A required argument of a tool is missing.", "ERR_RESOURCE_UNAVAILABLE"
)
UNKNOWN_ARGUMENT = Code(
    "ADL509",
    "unknown-argument",
    _E,
    "A tool is given an argument that it does not have.",
    "ERR_RESOURCE_UNAVAILABLE",
)
MERGE_STRATEGY_MODE = Code(
    "ADL510",
    "merge-strategy-mode",
    _E,
    "last_write_wins is not allowed in prod mode.",
    "ERR_CTX_MERGE_CONFLICT",
)
UNKNOWN_RESULT_FIELD = Code(
    "ADL511",
    "unknown-result-field",
    _E,
    "A field that a tool's result does not have.",
    "ERR_RESOURCE_UNAVAILABLE",
)
BAD_SCHEMA = Code("ADL512", "bad-schema", _E, "A JSON Schema is not one.")
TOO_MANY_TOOLS = Code("ADL513", "too-many-tools", _E, "More tools are declared than the limit of 10,000.")

# ADL6: templates and data flow
TEMPLATE_SYNTAX = Code("ADL601", "template-syntax", _E, "A template cannot be read.")
FORBIDDEN_TEMPLATE = Code("ADL602", "forbidden-template", _E, "A template uses a construct that is forbidden.")
UNKNOWN_NAME = Code("ADL603", "unknown-name", _E, "A template reads a name that nothing writes or declares.")
NOT_YET_AVAILABLE = Code("ADL604", "not-yet-available", _E, "A template reads a name before it surely exists.")
MERGE_CONFLICT = Code(
    "ADL605",
    "merge-conflict",
    _E,
    "Parallel branches deliver the same key to a join.",
    "ERR_CTX_MERGE_CONFLICT",
)
TEMPLATE_LIMIT = Code("ADL606", "template-limit", _E, "The templates of a document are too long to be read.")
MERGE_LIMIT = Code("ADL607", "merge-limit", _E, "Too many values meet at the joins of a document to be judged.")
NAME_LIMIT = Code("ADL608", "name-limit", _E, "The nodes of a document write too many names to be followed.")

# ADL7: what the caller of a generation asked for
OTHER_PATH = Code(
    "ADL701", "other-path", _E, "The block generated is not the one asked for.", "ERR_NAMESPACE_VIOLATION"
)
TYPE_NOT_ALLOWED = Code(
    "ADL702",
    "type-not-allowed",
    _E,
    "A node type that the constraints exclude.",
    "ERR_UNSUPPORTED_CAPABILITY",
)
TOOL_NOT_ALLOWED = Code(
    "ADL703", "tool-not-allowed", _E, "A tool that the constraints exclude.", "ERR_RESOURCE_UNAVAILABLE"
)
TARGET_NOT_ALLOWED = Code(
    "ADL704",
    "target-not-allowed",
    _E,
    "A target or library that the constraints exclude.",
    "ERR_NAMESPACE_VIOLATION",
)
TOO_FEW_NODES = Code("ADL705", "too-few-nodes", _E, "Fewer nodes than asked for.")
TOO_MANY_SUBGRAPHS = Code("ADL706", "too-many-subgraphs", _E, "More subgraphs than asked for.")
OTHER_SIGNATURE = Code(
    "ADL707", "other-signature", _E, "The signature is not the one asked for.", "ERR_SIGNATURE_VIOLATION"
)
PERMISSION_NOT_GRANTED = Code(
    "ADL708",
    "permission-not-granted",
    _E,
    "A permission that the caller did not grant.",
    "ERR_RESOURCE_UNAVAILABLE",
)
TEXT_TOO_LONG = Code("ADL709", "text-too-long", _E, "A text or identifier is longer than asked for.")
NOT_GENERATED_FORM = Code("ADL710", "not-generated-form", _E, "Generated text has a form that generation excludes.")
INCOMPLETE = Code("ADL711", "incomplete", _E, "The text ends before the document does.")

# ADL80: contracts
UNUSED_INPUT = Code("ADL801", "unused-input", _W, "A signature asks for an input that nothing reads.")
DEAD_WRITE = Code("ADL802", "dead-write", _W, "A node writes a name that nobody reads and no output names.")
UNDESCRIBED_LIBRARY = Code("ADL803", "undescribed-library", _I, "A library entry has no text that says what it does.")
UNVERSIONED_LIBRARY = Code("ADL804", "unversioned-library", _W, "A library entry states no version.")
UNUSED_REQUIREMENT = Code("ADL805", "unused-requirement", _W, "A block requires a library that it does not call.")
DEPRECATED_CALLEE = Code("ADL806", "deprecated-callee", _W, "A deprecated library entry is called.")
UNSTABLE_CALLEE = Code("ADL807", "unstable-callee", _W, "A stable library calls an experimental one.")
OUTDATED_CALL = Code("ADL809", "outdated-call", _I, "A call names an old major version of a library.")

# ADL81: permissions
UNUSED_PERMISSION = Code("ADL811", "unused-permission", _W, "A permission is granted that nothing uses.")
UNUSED_RESOURCE = Code("ADL812", "unused-resource", _W, "A tool or runtime is declared that nothing uses.")
UNSTATED_NEED = Code(
    "ADL813", "unstated-need", _W, "A library uses a tool or runtime that its permissions do not name."
)
WIDE_PERMISSION = Code(
    "ADL814", "wide-permission", _W, "A permission grants all tools, runtimes or files instead of some."
)
REPEATED_PERMISSION = Code("ADL815", "repeated-permission", _W, "A permission is granted twice.")

# ADL82: budgets
UNLIMITED_MODEL_CALLS = Code(
    "ADL821", "unlimited-model-calls", _W, "A production application asks models without a limit."
)
UNLIMITED_DEPTH = Code("ADL822", "unlimited-depth", _W, "An application generates subgraphs to any depth.")
GENERATION_FAN_OUT = Code(
    "ADL823", "generation-fan-out", _W, "Generation runs in parallel branches and fans out again."
)
BUDGET_TOO_SMALL = Code("ADL824", "budget-too-small", _W, "Every run asks models more often than the budget allows.")
LARGE_SUBGRAPH = Code("ADL825", "large-subgraph", _I, "A subgraph has more nodes than people can follow.")

# ADL83: templates
UNKNOWN_FUNCTION = Code(
    "ADL831", "unknown-function", _W, "A template calls a function that the template language lacks."
)
CONSTANT_CONDITION = Code("ADL832", "constant-condition", _W, "A condition reads nothing, so it always has one value.")
SINGLE_BRACES = Code(
    "ADL833", "single-braces", _W, "A name of the context stands in single braces, which is plain text."
)
SHADOWED_NAME = Code("ADL834", "shadowed-name", _I, "A loop variable hides a name of the context.")
TEMPLATE_IN_CODE = Code("ADL835", "template-in-code", _W, "A template stands in a field that holds plain text.")
UNGUARDED_OPTIONAL = Code(
    "ADL836", "unguarded-optional", _W, "An input that may be absent is read as if it were there."
)

# ADL84: security
SECRET_IN_TEXT = Code("ADL841", "secret-in-text", _E, "A key, token or password stands in a text.")
PROMPT_INJECTION = Code("ADL842", "prompt-injection", _W, "What users or tools wrote is put into a system prompt.")
UNRESTRICTED_NETWORK = Code("ADL843", "unrestricted-network", _W, "The network is open without a list of domains.")
UNCHECKED_GENERATION = Code(
    "ADL844", "unchecked-generation", _W, "A generated subgraph is run without a look at its signature."
)
UNBOUNDED_TOOL = Code("ADL845", "unbounded-tool", _W, "A template chooses the tool, and no permission says which ones.")
PLAIN_HTTP = Code("ADL846", "plain-http", _W, "A resource is reached over HTTP without encryption.")

# ADL85: style
ID_STYLE = Code("ADL851", "id-style", _I, "An id is not written in small letters with underscores.")
KEY_STYLE = Code("ADL852", "key-style", _I, "A context key is not written in small letters with underscores.")
NODE_ORDER = Code("ADL853", "node-order", _I, "A node stands before one that leads to it.")
MISREAD_ASSIGN = Code("ADL854", "misread-assign", _W, "The keys expr and path of an assign are written as two names.")

# ADL86: structure
SINGLE_SOURCE_JOIN = Code("ADL861", "single-source-join", _W, "A join waits for one node only.")
IDLE_HANDLER = Code("ADL862", "idle-handler", _W, "A handler leads where success leads too.")
UNUSED_BLOCK = Code("ADL863", "unused-block", _W, "No way leads from the entry point of an application to a block.")

# ADL90: models that are to call it
UNWRITABLE_PARAMETER = Code(
    "ADL901", "unwritable-parameter", _W, "A parameter of a library has a name that models cannot write."
)
LONG_DESCRIPTION = Code(
    "ADL902", "long-description", _I, "The description of a library or tool is longer than prompts have room for."
)
UNDESCRIBED_TOOL = Code("ADL903", "undescribed-tool", _I, "A tool that models may choose has no description.")
UNTYPED_TOOL = Code("ADL904", "untyped-tool", _I, "A tool that models may call has no schema of its arguments.")

# ADL91: the reference executor
MAPPING_SIGNATURE = Code(
    "ADL911", "mapping-signature", _I, "A signature is a mapping; the reference executor reads one line only."
)
LITERAL_LOOKS_TYPED = Code(
    "ADL912",
    "literal-looks-typed",
    _I,
    "A text looks like a number or boolean; the reference executor takes it for one.",
)
UNREGISTERED_END = Code(
    "ADL913", "unregistered-end", _W, "A system target is named that the reference executor does not register."
)
RELATIVE_REFERENCE = Code(
    "ADL914", "relative-reference", _W, "A reference is not a full path; the reference executor resolves nothing else."
)
MAPPED_OUTPUT_ONLY = Code(
    "ADL915", "mapped-output-only", _W, "A tool call has no output keys; the reference executor needs them."
)
MISPLACED_MODE = Code(
    "ADL916", "misplaced-mode", _W, "The termination mode stands where the reference executor does not look."
)

# ADL99: comments that steer lint
UNUSED_SUPPRESSION = Code("ADL991", "unused-suppression", _W, "A comment leaves out a finding that is not there.")
BROKEN_SUPPRESSION = Code("ADL992", "broken-suppression", _W, "A comment for lint cannot be read.")

# SKL0: the files of a skill
NO_MANIFEST = Code("SKL001", "no-manifest", _E, "A folder that is to be a skill holds no SKILL.md.")
MANIFEST_TOO_LARGE = Code("SKL002", "manifest-too-large", _E, "A SKILL.md is larger than 1 MiB.")
MANIFEST_NOT_TEXT = Code("SKL003", "manifest-not-text", _E, "A SKILL.md is not UTF-8.")
SKILL_UNREADABLE = Code("SKL004", "skill-unreadable", _E, "A file of a skill cannot be read.")
SKILL_CHANGING = Code("SKL005", "skill-changing", _E, "The files of a skill change while they are read.")

# SKL1: front matter
NO_FRONT_MATTER = Code("SKL101", "no-front-matter", _E, "A SKILL.md does not begin with front matter.")
OPEN_FRONT_MATTER = Code("SKL102", "open-front-matter", _E, "The front matter of a skill is never closed.")
NOT_A_MAPPING = Code("SKL103", "front-matter-mapping", _E, "The front matter of a skill is no mapping.")
UNKNOWN_SKILL_KEY = Code("SKL104", "unknown-skill-key", _E, "The front matter holds a key that skills do not have.")
MISSING_SKILL_KEY = Code("SKL105", "missing-skill-key", _E, "The front matter lacks a name or a description.")
SKILL_VALUE_TYPE = Code("SKL106", "skill-value-type", _E, "A value of the front matter is of another type.")
BAD_SKILL_NAME = Code("SKL107", "bad-skill-name", _E, "The name of a skill breaks the rules for names.")
NAME_IS_NOT_FOLDER = Code("SKL108", "skill-name-and-folder", _E, "A skill is not called like its folder.")
SKILL_TEXT_LENGTH = Code("SKL109", "skill-text-length", _E, "A text of the front matter is empty or too long.")
BAD_ALLOWED_TOOLS = Code("SKL110", "bad-allowed-tools", _E, "The allowed tools are not separated by spaces.")
BAD_METADATA = Code("SKL111", "bad-metadata", _E, "The metadata of a skill are not texts by name.")
BAD_SKILL_VERSION = Code("SKL112", "bad-skill-version", _E, "The version of a skill is none.")
BAD_TAGS = Code("SKL113", "bad-skill-tags", _E, "The tags of a skill cannot be read.")
BAD_REQUIRES = Code("SKL114", "bad-skill-requires", _E, "The skills that a skill requires cannot be read.")
BAD_TOOLS_FILE = Code("SKL115", "bad-tools-file", _E, "The tools of a skill cannot be used.")

# SKL2: body and resources
EMPTY_BODY = Code("SKL201", "empty-skill", _W, "A skill has front matter and says nothing.")
LONG_BODY = Code("SKL202", "long-skill", _W, "The body of a skill has more lines or tokens than it should.")
MISSING_RESOURCE = Code("SKL203", "missing-resource", _W, "A body names a resource that is not there.")
RESOURCE_ESCAPE = Code("SKL204", "resource-escape", _E, "A reference or a link leads out of the skill's folder.")
RESOURCE_TOO_LARGE = Code("SKL205", "resource-too-large", _E, "The resources of a skill are too large or too many.")
NESTED_RESOURCE = Code("SKL206", "nested-resource", _W, "A folder stands within a folder of resources.")
NOT_A_FILE = Code("SKL207", "resource-not-a-file", _E, "A resource is neither a file nor a link to one.")

# SKL3: skills together
SHADOWED_SKILL = Code("SKL301", "shadowed-skill", _I, "A skill of the same name stands in an earlier root.")
MISSING_SKILL = Code("SKL302", "missing-skill", _E, "A skill requires one that is not there or cannot be used.")
SKILL_VERSION_CLASH = Code("SKL303", "skill-version-clash", _E, "A skill requires a version that is not there.")
SKILL_CYCLE = Code("SKL304", "skill-cycle", _E, "Skills require each other in a circle.")
LAST_GOOD_SKILL = Code("SKL305", "last-good-skill", _W, "A skill was changed and broken; its last good state is used.")
TOO_MANY_SKILLS = Code("SKL306", "too-many-skills", _E, "A root holds more than 10,000 skills.")
ROOT_UNREADABLE = Code("SKL307", "skill-root-unreadable", _E, "A root of skills cannot be read.")


def _table(prefix: str) -> tuple[Code, ...]:
    """The codes of a prefix, in order."""
    found = (value for value in list(globals().values()) if isinstance(value, Code))
    return tuple(sorted((code for code in found if code.code.startswith(prefix)), key=lambda code: code.code))


ALL_CODES: tuple[Code, ...] = _table("ADL")
"""Every finding about documents, in order: what `lint` selects from and rules explain."""

SKILL_CODES: tuple[Code, ...] = _table("SKL")
"""Every finding about skills, in order."""
