package openinference

import "go.opentelemetry.io/otel/attribute"

// The keys and values of this file are those of the OpenInference semantic
// conventions, version 0.1.42:
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
//
// A list is flattened: its key, an index that counts from 0, then the key of
// the part, as in llm.input_messages.0.message.role. Comments write the indices
// as <i>, <j> and <k>. Where no kind of span is named, the key goes on any.

// Keys of spans.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// AnnotationsKey is the list of annotations of the span itself; its parts
	// are annotations.<i>.annotation.name and so on.
	AnnotationsKey = attribute.Key("annotations")

	// EvaluationsKey is AnnotationsKey in evaluation terms: its parts are
	// evaluations.<i>.evaluation.name and so on.
	EvaluationsKey = attribute.Key("evaluations")

	// TraceAnnotationsKey is the list of annotations of the whole trace:
	// trace.annotations.<i>.annotation.name and so on.
	TraceAnnotationsKey = attribute.Key("trace.annotations")

	// TraceEvaluationsKey is the list of evaluations of the whole trace:
	// trace.evaluations.<i>.evaluation.name and so on.
	TraceEvaluationsKey = attribute.Key("trace.evaluations")

	// SessionAnnotationsKey is the list of annotations of the session that
	// session.id names: session.annotations.<i>.annotation.name and so on.
	SessionAnnotationsKey = attribute.Key("session.annotations")

	// SessionEvaluationsKey is the list of evaluations of the session that
	// session.id names: session.evaluations.<i>.evaluation.name and so on.
	SessionEvaluationsKey = attribute.Key("session.evaluations")

	// OutputValueKey is what the operation returned: a string, JSON if
	// output.mime_type says so.
	OutputValueKey = attribute.Key("output.value")

	// OutputMIMETypeKey is the format of output.value: a string, MIMETypeText
	// (also meant when it is missing) or MIMETypeJSON.
	OutputMIMETypeKey = attribute.Key("output.mime_type")

	// InputValueKey is what the operation was given: a string, JSON if
	// input.mime_type says so.
	InputValueKey = attribute.Key("input.value")

	// InputMIMETypeKey is the format of input.value: a string, MIMETypeText
	// (also meant when it is missing) or MIMETypeJSON.
	InputMIMETypeKey = attribute.Key("input.mime_type")

	// InputImagesKey is the list of images given to the operation:
	// input.images.<i>.image.url.
	InputImagesKey = attribute.Key("input.images")

	// OutputImagesKey is the list of images that the operation made:
	// output.images.<i>.image.url.
	OutputImagesKey = attribute.Key("output.images")

	// InputDocumentsKey is the list of documents, such as PDF files, given to
	// the operation: input.documents.<i>.document.url and so on.
	InputDocumentsKey = attribute.Key("input.documents")

	// OutputDocumentsKey is the list of documents that the operation made:
	// output.documents.<i>.document.url and so on.
	OutputDocumentsKey = attribute.Key("output.documents")

	// EmbeddingEmbeddingsKey is the list of texts and vectors of an EMBEDDING
	// span: embedding.embeddings.<i>.embedding.text and .embedding.vector.
	EmbeddingEmbeddingsKey = attribute.Key("embedding.embeddings")

	// EmbeddingInvocationParametersKey is the request's parameters without its
	// input, on EMBEDDING spans: a JSON string holding an object.
	EmbeddingInvocationParametersKey = attribute.Key("embedding.invocation_parameters")

	// EmbeddingModelNameKey is the name of the model, on EMBEDDING spans: a
	// string.
	EmbeddingModelNameKey = attribute.Key("embedding.model_name")

	// LLMFunctionCallKey is the function call of an answer in the API that tool
	// calls replaced, on LLM spans: a JSON string.
	LLMFunctionCallKey = attribute.Key("llm.function_call")

	// LLMInvocationParametersKey is the request's parameters, such as the
	// temperature, without its messages and tools, on LLM spans: a JSON string
	// holding an object.
	LLMInvocationParametersKey = attribute.Key("llm.invocation_parameters")

	// LLMInputMessagesKey is the list of messages sent to the model, on LLM
	// spans: llm.input_messages.<i>.message.role and so on.
	LLMInputMessagesKey = attribute.Key("llm.input_messages")

	// LLMOutputMessagesKey is the list of messages that the model answered, one
	// for each choice, on LLM spans: llm.output_messages.<i>.message.role and so
	// on.
	LLMOutputMessagesKey = attribute.Key("llm.output_messages")

	// LLMModelNameKey is the name of the model, on LLM spans: a string, the
	// response's name if there is one, else the request's. Prices are looked up
	// by it.
	LLMModelNameKey = attribute.Key("llm.model_name")

	// LLMRequestModelNameKey is the name of the model as the request has it, on
	// LLM spans: a string.
	LLMRequestModelNameKey = attribute.Key("llm.request.model_name")

	// LLMResponseModelNameKey is the name of the model that answered, as the
	// response has it, on LLM spans: a string.
	LLMResponseModelNameKey = attribute.Key("llm.response.model_name")

	// LLMProviderKey is who hosts the model, on LLM spans: a string such as
	// ProviderAzure.
	LLMProviderKey = attribute.Key("llm.provider")

	// LLMSystemKey is whose product or API the model is, whoever hosts it, on
	// LLM spans: a string such as SystemOpenAI.
	LLMSystemKey = attribute.Key("llm.system")

	// DecisionModelNameKey is the name of the model, on DECISION spans: a
	// string.
	DecisionModelNameKey = attribute.Key("decision.model_name")

	// DecisionRequestModelNameKey is the name of the model as the request has
	// it, on DECISION spans: a string.
	DecisionRequestModelNameKey = attribute.Key("decision.request.model_name")

	// DecisionResponseModelNameKey is the name of the model that answered, as
	// the response has it, on DECISION spans: a string.
	DecisionResponseModelNameKey = attribute.Key("decision.response.model_name")

	// DecisionProviderKey is who hosts the model, on DECISION spans: a string
	// such as DecisionProviderOpenAI.
	DecisionProviderKey = attribute.Key("decision.provider")

	// DecisionSystemKey is whose API the call follows, whoever hosts the model,
	// on DECISION spans: a string such as DecisionSystemOpenAI.
	DecisionSystemKey = attribute.Key("decision.system")

	// DecisionTokenCountInputKey is the number of tokens of state, questions and
	// options, on DECISION spans: an int.
	DecisionTokenCountInputKey = attribute.Key("decision.token_count.input")

	// DecisionTokenCountOutputKey is the number of tokens answered, on DECISION
	// spans: an int.
	DecisionTokenCountOutputKey = attribute.Key("decision.token_count.output")

	// LLMPromptsKey is the list of prompts of a request to the completions API,
	// on LLM spans: llm.prompts.<i>.prompt.text.
	LLMPromptsKey = attribute.Key("llm.prompts")

	// LLMChoicesKey is the list of texts that the completions API answered, on
	// LLM spans: llm.choices.<i>.completion.text.
	LLMChoicesKey = attribute.Key("llm.choices")

	// LLMPromptTemplateTemplateKey is the template that the prompt was made
	// from, on LLM spans: a string, such as "Weather in {city}".
	LLMPromptTemplateTemplateKey = attribute.Key("llm.prompt_template.template")

	// LLMPromptTemplateVariablesKey is the values filled into the template, by
	// name, on LLM spans: a JSON string holding an object.
	LLMPromptTemplateVariablesKey = attribute.Key("llm.prompt_template.variables")

	// LLMPromptTemplateVersionKey is the version of the template, on LLM spans:
	// a string.
	LLMPromptTemplateVersionKey = attribute.Key("llm.prompt_template.version")

	// LLMTokenCountCompletionKey is the number of tokens of the answer, on LLM
	// spans: an int.
	LLMTokenCountCompletionKey = attribute.Key("llm.token_count.completion")

	// LLMTokenCountCompletionDetailsAudioKey is the number of the answer's
	// tokens that are audio, on LLM spans: an int.
	LLMTokenCountCompletionDetailsAudioKey = attribute.Key("llm.token_count.completion_details.audio")

	// LLMTokenCountCompletionDetailsReasoningKey is the number of the answer's
	// tokens that went into reasoning, on LLM spans: an int.
	LLMTokenCountCompletionDetailsReasoningKey = attribute.Key("llm.token_count.completion_details.reasoning")

	// LLMTokenCountPromptKey is the number of tokens of the prompt, on LLM and
	// EMBEDDING spans: an int.
	LLMTokenCountPromptKey = attribute.Key("llm.token_count.prompt")

	// LLMTokenCountPromptDetailsKey is the prefix of the keys that split the
	// prompt's tokens by what they are, such as
	// llm.token_count.prompt_details.audio; each is an int.
	LLMTokenCountPromptDetailsKey = attribute.Key("llm.token_count.prompt_details")

	// LLMTokenCountPromptDetailsAudioKey is the number of the prompt's tokens
	// that are audio, on LLM spans: an int.
	LLMTokenCountPromptDetailsAudioKey = attribute.Key("llm.token_count.prompt_details.audio")

	// LLMTokenCountPromptDetailsCacheInputKey is the number of the prompt's
	// input tokens that were cached, on LLM spans: an int.
	LLMTokenCountPromptDetailsCacheInputKey = attribute.Key("llm.token_count.prompt_details.cache_input")

	// LLMTokenCountPromptDetailsCacheReadKey is the number of the prompt's
	// tokens read from a cache, on LLM spans: an int.
	LLMTokenCountPromptDetailsCacheReadKey = attribute.Key("llm.token_count.prompt_details.cache_read")

	// LLMTokenCountPromptDetailsCacheWriteKey is the number of the prompt's
	// tokens written to a cache, on LLM spans: an int.
	LLMTokenCountPromptDetailsCacheWriteKey = attribute.Key("llm.token_count.prompt_details.cache_write")

	// LLMTokenCountTotalKey is the number of tokens of prompt and answer
	// together, on LLM and EMBEDDING spans: an int.
	LLMTokenCountTotalKey = attribute.Key("llm.token_count.total")

	// LLMFinishReasonKey is why the model stopped, on LLM spans: a string, such
	// as "stop" or "length".
	LLMFinishReasonKey = attribute.Key("llm.finish_reason")

	// LLMCostCompletionKey is the cost of the answer in US dollars, on LLM
	// spans: a float.
	LLMCostCompletionKey = attribute.Key("llm.cost.completion")

	// LLMCostCompletionDetailsKey is the prefix of the keys that split the cost
	// of the answer, such as llm.cost.completion_details.audio; each is a float,
	// in US dollars.
	LLMCostCompletionDetailsKey = attribute.Key("llm.cost.completion_details")

	// LLMCostCompletionDetailsAudioKey is the cost of the answer's audio in US
	// dollars, on LLM spans: a float.
	LLMCostCompletionDetailsAudioKey = attribute.Key("llm.cost.completion_details.audio")

	// LLMCostCompletionDetailsOutputKey is the cost of the answer's output
	// tokens in US dollars, without extra processing steps, on LLM spans: a
	// float.
	LLMCostCompletionDetailsOutputKey = attribute.Key("llm.cost.completion_details.output")

	// LLMCostCompletionDetailsReasoningKey is the cost of reasoning in US
	// dollars, on LLM spans: a float.
	LLMCostCompletionDetailsReasoningKey = attribute.Key("llm.cost.completion_details.reasoning")

	// LLMCostPromptKey is the cost of the prompt in US dollars, on LLM spans: a
	// float.
	LLMCostPromptKey = attribute.Key("llm.cost.prompt")

	// LLMCostPromptDetailsKey is the prefix of the keys that split the cost of
	// the prompt, such as llm.cost.prompt_details.audio; each is a float, in US
	// dollars.
	LLMCostPromptDetailsKey = attribute.Key("llm.cost.prompt_details")

	// LLMCostPromptDetailsAudioKey is the cost of the prompt's audio in US
	// dollars, on LLM spans: a float.
	LLMCostPromptDetailsAudioKey = attribute.Key("llm.cost.prompt_details.audio")

	// LLMCostPromptDetailsCacheInputKey is the cost of the prompt's cached input
	// tokens in US dollars, on LLM spans: a float.
	LLMCostPromptDetailsCacheInputKey = attribute.Key("llm.cost.prompt_details.cache_input")

	// LLMCostPromptDetailsCacheReadKey is the cost of tokens read from a cache
	// in US dollars, on LLM spans: a float.
	LLMCostPromptDetailsCacheReadKey = attribute.Key("llm.cost.prompt_details.cache_read")

	// LLMCostPromptDetailsCacheWriteKey is the cost of tokens written to a cache
	// in US dollars, on LLM spans: a float.
	LLMCostPromptDetailsCacheWriteKey = attribute.Key("llm.cost.prompt_details.cache_write")

	// LLMCostPromptDetailsInputKey is the cost of the prompt's input tokens in
	// US dollars, without extra processing steps, on LLM spans: a float.
	LLMCostPromptDetailsInputKey = attribute.Key("llm.cost.prompt_details.input")

	// LLMCostTotalKey is the cost of the call in US dollars, prompt and answer,
	// on LLM spans: a float.
	LLMCostTotalKey = attribute.Key("llm.cost.total")

	// LLMToolsKey is the list of tools offered to the model, on LLM spans:
	// llm.tools.<i>.tool.json_schema and so on.
	LLMToolsKey = attribute.Key("llm.tools")

	// ToolNameKey is the name of the tool: a string. It is the tool being run on
	// TOOL spans, and one offered to the model in llm.tools.<i>.tool.name.
	ToolNameKey = attribute.Key("tool.name")

	// ToolDescriptionKey is what the tool is for, in words that help a model to
	// choose it: a string. It is the tool being run on TOOL spans, and one
	// offered to the model in llm.tools.<i>.tool.description.
	ToolDescriptionKey = attribute.Key("tool.description")

	// ToolParametersKey is the definition of the parameters of the tool being
	// run, on TOOL spans: a JSON string holding an object.
	ToolParametersKey = attribute.Key("tool.parameters")

	// ToolIDKey is the id of the tool call that the tool answers, on TOOL spans:
	// a string, the model's tool_call.id.
	ToolIDKey = attribute.Key("tool.id")

	// RetrievalDocumentsKey is the list of documents found, on RETRIEVER spans:
	// retrieval.documents.<i>.document.content and so on.
	RetrievalDocumentsKey = attribute.Key("retrieval.documents")

	// MetadataKey is the application's own data about the span: a JSON string
	// holding an object.
	MetadataKey = attribute.Key("metadata")

	// TagTagsKey is the application's own labels for the span: a list of
	// strings.
	TagTagsKey = attribute.Key("tag.tags")

	// OpenInferenceSpanKindKey is what sort of work the span stands for: a
	// string, the text of a [Kind]. Every OpenInference span has it.
	OpenInferenceSpanKindKey = attribute.Key("openinference.span.kind")

	// SessionIDKey is the id of the conversation that the span belongs to: a
	// string. Phoenix and Arize group traces into sessions by it.
	SessionIDKey = attribute.Key("session.id")

	// UserIDKey is the application's id of the user on whose behalf the span's
	// work is done: a string.
	UserIDKey = attribute.Key("user.id")

	// AgentNameKey is the name of the agent, on AGENT spans: a string, the same
	// for agents that do the same.
	AgentNameKey = attribute.Key("agent.name")

	// GraphNodeIDKey is the id of the span's node in the graph of an agent's
	// run: a string.
	GraphNodeIDKey = attribute.Key("graph.node.id")

	// GraphNodeNameKey is the name to show for the node, if not its id: a
	// string.
	GraphNodeNameKey = attribute.Key("graph.node.name")

	// GraphNodeParentIDKey is the graph.node.id of the node above: a string,
	// missing or empty on the topmost.
	GraphNodeParentIDKey = attribute.Key("graph.node.parent_id")

	// PromptVendorKey is where the prompt comes from, such as a prompt library:
	// a string.
	PromptVendorKey = attribute.Key("prompt.vendor")

	// PromptIDKey is the vendor's id of the prompt: a string.
	PromptIDKey = attribute.Key("prompt.id")

	// PromptURLKey is where the vendor shows the prompt: a string.
	PromptURLKey = attribute.Key("prompt.url")
)

// Keys of annotations, parts of annotations, trace.annotations and
// session.annotations.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// AnnotationNameKey is what is judged, such as "hallucination": a string, in
	// annotations.<i>.annotation.name.
	AnnotationNameKey = attribute.Key("annotation.name")

	// AnnotationScoreKey is the result as a number: an int or a float, in
	// annotations.<i>.annotation.score.
	AnnotationScoreKey = attribute.Key("annotation.score")

	// AnnotationLabelKey is the result as a category: a string, in
	// annotations.<i>.annotation.label.
	AnnotationLabelKey = attribute.Key("annotation.label")

	// AnnotationExplanationKey is the reason for the result: a string, in
	// annotations.<i>.annotation.explanation.
	AnnotationExplanationKey = attribute.Key("annotation.explanation")

	// AnnotationAnnotatorKindKey is who judged: a string such as
	// AnnotatorKindHuman, in annotations.<i>.annotation.annotator_kind.
	AnnotationAnnotatorKindKey = attribute.Key("annotation.annotator_kind")

	// AnnotationIdentifierKey tells results of one name apart, such as those of
	// two judges: a string, in annotations.<i>.annotation.identifier.
	AnnotationIdentifierKey = attribute.Key("annotation.identifier")

	// AnnotationMetadataKey is further data about the result or the judge: a
	// JSON string holding an object, in annotations.<i>.annotation.metadata.
	AnnotationMetadataKey = attribute.Key("annotation.metadata")
)

// Keys of evaluations, parts of evaluations, trace.evaluations and
// session.evaluations. They mean what the annotation keys of the same names do.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// EvaluationNameKey is what is judged, such as "relevance": a string, in
	// evaluations.<i>.evaluation.name.
	EvaluationNameKey = attribute.Key("evaluation.name")

	// EvaluationScoreKey is the result as a number: an int or a float, in
	// evaluations.<i>.evaluation.score.
	EvaluationScoreKey = attribute.Key("evaluation.score")

	// EvaluationLabelKey is the result as a category: a string, in
	// evaluations.<i>.evaluation.label.
	EvaluationLabelKey = attribute.Key("evaluation.label")

	// EvaluationExplanationKey is the reason for the result: a string, in
	// evaluations.<i>.evaluation.explanation.
	EvaluationExplanationKey = attribute.Key("evaluation.explanation")

	// EvaluationAnnotatorKindKey is who judged: a string such as
	// AnnotatorKindLLM, in evaluations.<i>.evaluation.annotator_kind.
	EvaluationAnnotatorKindKey = attribute.Key("evaluation.annotator_kind")

	// EvaluationIdentifierKey tells results of one name apart, such as those of
	// two judges: a string, in evaluations.<i>.evaluation.identifier.
	EvaluationIdentifierKey = attribute.Key("evaluation.identifier")

	// EvaluationMetadataKey is further data about the result or the judge: a
	// JSON string holding an object, in evaluations.<i>.evaluation.metadata.
	EvaluationMetadataKey = attribute.Key("evaluation.metadata")
)

// Keys of messages, parts of llm.input_messages and llm.output_messages on LLM
// spans.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// MessageRoleKey is who speaks, such as "user" or "assistant": a string, in
	// llm.input_messages.<i>.message.role.
	MessageRoleKey = attribute.Key("message.role")

	// MessageContentKey is the message's text if it is a single one: a string,
	// in llm.input_messages.<i>.message.content.
	MessageContentKey = attribute.Key("message.content")

	// MessageContentsKey is the list of the message's parts, if it has several
	// or other than text:
	// llm.input_messages.<i>.message.contents.<j>.message_content.type and so
	// on.
	MessageContentsKey = attribute.Key("message.contents")

	// MessageNameKey is the name of the function or tool whose result the
	// message is, or of the participant who speaks: a string, in
	// llm.input_messages.<i>.message.name.
	MessageNameKey = attribute.Key("message.name")

	// MessageToolCallsKey is the list of tool calls that the model asks for:
	// llm.output_messages.<i>.message.tool_calls.<j>.tool_call.id and so on.
	MessageToolCallsKey = attribute.Key("message.tool_calls")

	// MessageFunctionCallNameKey is the function that the model calls in the API
	// that tool calls replaced: a string, in
	// llm.output_messages.<i>.message.function_call_name.
	MessageFunctionCallNameKey = attribute.Key("message.function_call_name")

	// MessageFunctionCallArgumentsJSONKey is the arguments of that function
	// call: a JSON string, in
	// llm.output_messages.<i>.message.function_call_arguments_json.
	MessageFunctionCallArgumentsJSONKey = attribute.Key("message.function_call_arguments_json")

	// MessageToolCallIDKey is the tool_call.id of the call whose result the
	// message is: a string, in llm.input_messages.<i>.message.tool_call_id.
	MessageToolCallIDKey = attribute.Key("message.tool_call_id")
)

// Keys of the parts of a message, in message.contents on LLM spans.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// MessageContentTypeKey is what the part is: a string, one of "text",
	// "image", "audio", "video", "document", "reasoning" and "tool_use", in
	// llm.input_messages.<i>.message.contents.<j>.message_content.type.
	MessageContentTypeKey = attribute.Key("message_content.type")

	// MessageContentTextKey is the text of a part of type text or reasoning: a
	// string, in llm.input_messages.<i>.message.contents.<j>.message_content.text.
	MessageContentTextKey = attribute.Key("message_content.text")

	// MessageContentImageKey is the prefix of the image of a part of type image:
	// llm.input_messages.<i>.message.contents.<j>.message_content.image.image.url.
	MessageContentImageKey = attribute.Key("message_content.image")

	// MessageContentAudioKey is the prefix of the sound of a part of type audio:
	// llm.input_messages.<i>.message.contents.<j>.message_content.audio.audio.url
	// and so on.
	MessageContentAudioKey = attribute.Key("message_content.audio")

	// MessageContentVideoKey is the prefix of the film of a part of type video:
	// llm.input_messages.<i>.message.contents.<j>.message_content.video.video.url.
	MessageContentVideoKey = attribute.Key("message_content.video")

	// MessageContentDocumentKey is the prefix of the file of a part of type
	// document:
	// llm.input_messages.<i>.message.contents.<j>.message_content.document.document.url
	// and so on.
	MessageContentDocumentKey = attribute.Key("message_content.document")

	// MessageContentIDKey is the provider's id of the part, such as that of a
	// reasoning item of the Responses API: a string, in
	// llm.output_messages.<i>.message.contents.<j>.message_content.id.
	MessageContentIDKey = attribute.Key("message_content.id")

	// MessageContentSignatureKey is the provider's signature of the part, as it
	// came: a string, in
	// llm.output_messages.<i>.message.contents.<j>.message_content.signature.
	MessageContentSignatureKey = attribute.Key("message_content.signature")

	// MessageContentDataKey is the provider's opaque data of the part, as it
	// came: a string, in
	// llm.output_messages.<i>.message.contents.<j>.message_content.data.
	MessageContentDataKey = attribute.Key("message_content.data")

	// MessageContentEncryptedContentKey is OpenAI's encrypted_content of the
	// part, as it came: a string, in
	// llm.output_messages.<i>.message.contents.<j>.message_content.encrypted_content.
	MessageContentEncryptedContentKey = attribute.Key("message_content.encrypted_content")
)

// Keys of images, in input.images, output.images and message_content.image.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// ImageURLKey is the image's address or its bytes as a base64 data URL: a
	// string, in input.images.<i>.image.url and
	// llm.input_messages.<i>.message.contents.<j>.message_content.image.image.url.
	ImageURLKey = attribute.Key("image.url")
)

// Keys of sound, in message_content.audio.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// AudioURLKey is the sound's address or its bytes as a base64 data URL: a
	// string, in
	// llm.input_messages.<i>.message.contents.<j>.message_content.audio.audio.url.
	AudioURLKey = attribute.Key("audio.url")

	// AudioMIMETypeKey is the sound's format, such as "audio/mpeg": a string, in
	// llm.input_messages.<i>.message.contents.<j>.message_content.audio.audio.mime_type.
	AudioMIMETypeKey = attribute.Key("audio.mime_type")

	// AudioTranscriptKey is what is said in it: a string, in
	// llm.input_messages.<i>.message.contents.<j>.message_content.audio.audio.transcript.
	AudioTranscriptKey = attribute.Key("audio.transcript")
)

// Keys of films, in message_content.video.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// VideoURLKey is the film's address or its bytes as a base64 data URL: a
	// string, in
	// llm.input_messages.<i>.message.contents.<j>.message_content.video.video.url.
	VideoURLKey = attribute.Key("video.url")
)

// Keys of documents, in retrieval.documents, reranker.input_documents,
// reranker.output_documents, input.documents, output.documents and
// message_content.document.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// DocumentIDKey is the document's id where it is stored, or the provider's
	// id of an uploaded file: a string or an int, in
	// retrieval.documents.<i>.document.id.
	DocumentIDKey = attribute.Key("document.id")

	// DocumentScoreKey is how well the document fits the query: a float, in
	// retrieval.documents.<i>.document.score.
	DocumentScoreKey = attribute.Key("document.score")

	// DocumentContentKey is the document's text: a string, in
	// retrieval.documents.<i>.document.content.
	DocumentContentKey = attribute.Key("document.content")

	// DocumentMetadataKey is further data about the document: a JSON string
	// holding an object, in retrieval.documents.<i>.document.metadata.
	DocumentMetadataKey = attribute.Key("document.metadata")

	// DocumentURLKey is the address of a file or its bytes as a base64 data URL:
	// a string, in input.documents.<i>.document.url.
	DocumentURLKey = attribute.Key("document.url")

	// DocumentMIMETypeKey is the format of a file, such as "application/pdf": a
	// string, in input.documents.<i>.document.mime_type.
	DocumentMIMETypeKey = attribute.Key("document.mime_type")

	// DocumentNameKey is the file name or title, which need not be unique: a
	// string, in input.documents.<i>.document.name.
	DocumentNameKey = attribute.Key("document.name")
)

// Keys of RERANKER spans.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// RerankerInputDocumentsKey is the list of documents to rank:
	// reranker.input_documents.<i>.document.content and so on.
	RerankerInputDocumentsKey = attribute.Key("reranker.input_documents")

	// RerankerOutputDocumentsKey is the list of documents kept, the best first:
	// reranker.output_documents.<i>.document.content and so on.
	RerankerOutputDocumentsKey = attribute.Key("reranker.output_documents")

	// RerankerQueryKey is what the documents are ranked by: a string.
	RerankerQueryKey = attribute.Key("reranker.query")

	// RerankerModelNameKey is the name of the model that ranks: a string.
	RerankerModelNameKey = attribute.Key("reranker.model_name")

	// RerankerTopKKey is how many documents to keep: an int.
	RerankerTopKKey = attribute.Key("reranker.top_k")
)

// Keys of embeddings, parts of embedding.embeddings on EMBEDDING spans.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// EmbeddingTextKey is the text that was embedded: a string, in
	// embedding.embeddings.<i>.embedding.text.
	EmbeddingTextKey = attribute.Key("embedding.text")

	// EmbeddingVectorKey is the text's vector: a list of floats, in
	// embedding.embeddings.<i>.embedding.vector.
	EmbeddingVectorKey = attribute.Key("embedding.vector")
)

// Keys of tool calls, parts of message.tool_calls on LLM spans.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// ToolCallIDKey is the id that the tool's answer will refer to: a string, in
	// llm.output_messages.<i>.message.tool_calls.<j>.tool_call.id.
	ToolCallIDKey = attribute.Key("tool_call.id")

	// ToolCallFunctionNameKey is the function to call: a string, in
	// llm.output_messages.<i>.message.tool_calls.<j>.tool_call.function.name.
	ToolCallFunctionNameKey = attribute.Key("tool_call.function.name")

	// ToolCallFunctionArgumentsKey is the function's arguments as the model
	// wrote them: a JSON string, in
	// llm.output_messages.<i>.message.tool_calls.<j>.tool_call.function.arguments.
	ToolCallFunctionArgumentsKey = attribute.Key("tool_call.function.arguments")

	// ToolCallReasoningSignatureKey is the provider's signature of the reasoning
	// behind the call, as it came: a string, in
	// llm.output_messages.<i>.message.tool_calls.<j>.tool_call.reasoning_signature.
	ToolCallReasoningSignatureKey = attribute.Key("tool_call.reasoning_signature")
)

// Keys of prompts to the completions API, parts of llm.prompts on LLM spans.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// PromptTextKey is the prompt's text: a string, in
	// llm.prompts.<i>.prompt.text.
	PromptTextKey = attribute.Key("prompt.text")
)

// Keys of answers of the completions API, parts of llm.choices on LLM spans.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// CompletionTextKey is the answer's text: a string, in
	// llm.choices.<i>.completion.text.
	CompletionTextKey = attribute.Key("completion.text")
)

// Keys of tools, parts of llm.tools on LLM spans, with ToolNameKey and
// ToolDescriptionKey.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// ToolJSONSchemaKey is the tool as the request defines it, in OpenAI's
	// format if possible: a JSON string holding an object, in
	// llm.tools.<i>.tool.json_schema.
	ToolJSONSchemaKey = attribute.Key("tool.json_schema")
)

// Keys of the resource.
// Source: OpenInference semantic conventions.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// OpenInferenceProjectNameKey is the project that Phoenix and Arize file the
	// spans under: a string, an attribute of the resource and not of spans.
	OpenInferenceProjectNameKey = attribute.Key("openinference.project.name")
)

// Values of annotation.annotator_kind and evaluation.annotator_kind; others are
// allowed.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// AnnotatorKindHuman is a person's judgement.
	AnnotatorKindHuman = "HUMAN"

	// AnnotatorKindLLM is a model's judgement.
	AnnotatorKindLLM = "LLM"

	// AnnotatorKindCode is a program's judgement, such as a comparison.
	AnnotatorKindCode = "CODE"
)

// Values of input.mime_type and output.mime_type.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// MIMETypeText says that the value is plain text.
	MIMETypeText = "text/plain"

	// MIMETypeJSON says that the value is JSON.
	MIMETypeJSON = "application/json"
)

// Values of llm.system; others are allowed.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// SystemOpenAI is OpenAI and whatever speaks its API.
	SystemOpenAI = "openai"

	// SystemAnthropic is Anthropic.
	SystemAnthropic = "anthropic"

	// SystemCohere is Cohere.
	SystemCohere = "cohere"

	// SystemMistralAI is Mistral AI.
	SystemMistralAI = "mistralai"

	// SystemVertexAI is Google Vertex AI.
	SystemVertexAI = "vertexai"

	// SystemTypeSafe is TypeSafe AI.
	SystemTypeSafe = "typesafe"
)

// Values of llm.provider; others are allowed.
// Source: OpenInference semantic conventions, Reserved Attributes.
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
const (
	// ProviderOpenAI is OpenAI itself.
	ProviderOpenAI = "openai"

	// ProviderAnthropic is Anthropic itself.
	ProviderAnthropic = "anthropic"

	// ProviderCohere is Cohere itself.
	ProviderCohere = "cohere"

	// ProviderMistralAI is Mistral AI itself.
	ProviderMistralAI = "mistralai"

	// ProviderGoogle is Google, with Gemini or Vertex AI.
	ProviderGoogle = "google"

	// ProviderAzure is Microsoft Azure.
	ProviderAzure = "azure"

	// ProviderAWS is Amazon Web Services, with Bedrock.
	ProviderAWS = "aws"

	// ProviderXAI is xAI, the maker of Grok.
	ProviderXAI = "xai"

	// ProviderDeepSeek is DeepSeek itself.
	ProviderDeepSeek = "deepseek"

	// ProviderGroq is Groq.
	ProviderGroq = "groq"

	// ProviderFireworks is Fireworks AI.
	ProviderFireworks = "fireworks"

	// ProviderMoonshot is Moonshot AI, the maker of Kimi.
	ProviderMoonshot = "moonshot"

	// ProviderCerebras is Cerebras.
	ProviderCerebras = "cerebras"

	// ProviderPerplexity is Perplexity.
	ProviderPerplexity = "perplexity"

	// ProviderTogether is Together AI.
	ProviderTogether = "together"

	// ProviderOllama is Ollama, usually on the caller's own machine.
	ProviderOllama = "ollama"

	// ProviderMeta is Meta, the maker of Llama.
	ProviderMeta = "meta"

	// ProviderZAI is Z.ai, the maker of GLM.
	ProviderZAI = "zai"

	// ProviderMiniMax is MiniMax itself.
	ProviderMiniMax = "minimax"

	// ProviderOracle is Oracle Cloud.
	ProviderOracle = "oracle"

	// ProviderTypeSafe is TypeSafe AI itself.
	ProviderTypeSafe = "typesafe"
)

// Values of decision.system; others are allowed.
// Source: OpenInference semantic conventions.
// https://github.com/Arize-ai/openinference/blob/main/spec/decision_spans.md
const (
	// DecisionSystemTypeSafe is TypeSafe's System One API and what is compatible
	// with it.
	DecisionSystemTypeSafe = "typesafe"

	// DecisionSystemOpenAI is OpenAI's Decisions API.
	DecisionSystemOpenAI = "openai"
)

// Values of decision.provider; others are allowed.
// Source: OpenInference semantic conventions.
// https://github.com/Arize-ai/openinference/blob/main/spec/decision_spans.md
const (
	// DecisionProviderTypeSafe is TypeSafe AI itself.
	DecisionProviderTypeSafe = "typesafe"

	// DecisionProviderOpenAI is OpenAI itself.
	DecisionProviderOpenAI = "openai"
)
