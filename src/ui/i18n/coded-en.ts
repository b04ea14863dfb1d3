/**
 * Texts by the codes of the engine, in English: errors (what happened, what to do), problems of a folder, advice on
 * a plan, rules of a setting, log lines. Placeholders are the data of the error or entry; `{name:bytes}` is written in MiB or GiB.
 * A code without a text here falls back to the message that came with it.
 */
import { editsEn } from "./edits-en.ts";
import type { ErrorText } from "./messages.ts";
import { setNoticesEn } from "./set-notices-en.ts";

const mendLine = "Correct the line, or put # before it.";
const damaged = "Download or export the file again.";

export const codedEn = {
  errors: {
    "demo.unavailable": {
      what: "A file of the demo could not be read ({path}).",
      do: "Reload the page while online; after that the demo works offline too.",
    },
    "samples.flag.whole": { what: "Line {line}: {flag} is “{value}”, and should be a whole number.", do: mendLine },
    "samples.flag.number": { what: "Line {line}: {flag} is “{value}”, and should be a number.", do: mendLine },
    "samples.flag.sampler": { what: "Line {line}: {flag} is “{value}”, and should be one of {samplers}.", do: mendLine },
    "samples.file": { what: "{file} is no list of prompts: {reason}", do: "Choose a .txt file with one prompt a line, or kohya's .json or .toml." },
    "gpu.none": { what: "No graphics adapter was found.", do: "Use a browser with WebGPU and a current graphics driver." },
    "gpu.limit": {
      what: "This GPU offers {limit} = {offered}, and at least {needed} is needed.",
      do: "Another browser, a newer driver or another GPU may offer more.",
    },
    "gpu.outOfMemory": {
      what: "The GPU ran out of memory while allocating {what} ({bytes:bytes}).",
      do: "Close other programs, turn on gradient_checkpointing, set mixed_precision to fp16, or lower the resolution, the batch size or network_dim.",
    },
    "gpu.bindingTooLarge": {
      what: "{tensor} needs {bytes:bytes} in one piece, and this GPU allows {limit:bytes}.",
      do: "Use a smaller train_batch_size or resolution, or set mixed_precision to fp16, which halves it.",
    },
    "gpu.deviceLost": {
      what: "The graphics driver restarted again and again.",
      do: "Close other programs that use the GPU, or lower the resolution or batch size, then continue.",
    },
    "gpu.shader": {
      what: "The graphics driver rejected the program {kernel}.",
      do: "Update the driver or try another browser, and report it with the details below.",
    },
    "train.notFinite": {
      what: "The loss became invalid at step {step}, so the run stopped.",
      do: "The usual cause is a learning rate that is too high: halve it, and start again. With mixed_precision fp16, bf16 may be what helps.",
    },
    "run.otherTab": {
      what: "Another tab is training.",
      do: "Let it finish, or pause it and close that tab. Then start here.",
    },
    "run.busy": { what: "A run is going on in this tab already.", do: "Stop it before you start another." },
    "run.unknown": { what: "This run is no longer stored here.", do: "Set it up again." },
    "run.needsModel": { what: "The file of a fully trained model is made of its base model's.", do: "Choose that model again." },
    "run.nothingToKeep": { what: "This run has no checkpoint yet.", do: "Start it again." },
    "generation.training": {
      what: "A LoRA is being trained in this browser, and two models at once are too much for most graphics cards.",
      do: "Wait for the run to end, or stop it. A paused run keeps its memory.",
    },
    "generation.trainingStarted": { what: "Training has started and needs the GPU's memory, so drawing was ended.", do: "Draw again after the run." },
    "generation.otherTab": { what: "Another tab is drawing with a model on the GPU.", do: "Let it finish, or close that tab." },
    "generation.noModel": { what: "No base model is open.", do: "Choose a checkpoint first." },
    "generation.size": {
      what: "A picture of {width} × {height} cannot be drawn.",
      do: "Both sides must be multiples of {multiple}, from {least} up.",
    },
    "generation.tooLarge": {
      what: "A picture of {width} × {height} needs {bytes:bytes} in one piece, and this GPU allows {limit:bytes}.",
      do: "The largest size of these proportions is {largestWidth} × {largestHeight}.",
    },
    "generation.cfg": { what: "The CFG scale cannot be {cfg}.", do: "Give a number from 0 to {most}." },
    "generation.seed": { what: "The seed cannot be {seed}.", do: "Give a whole number from 0 to {most}." },
    "generation.unknownNetwork": { what: "The prompt has {tag}, which cannot be loaded here.", do: "Take it out. LoRAs are <lora:name:weight>." },
    "generation.loraRank": { what: "The prompt asks for rank {rank} of the LoRA “{name}”.", do: "Take “dyn” out: LoRAs act with all their ranks here." },
    "generation.adapterName": { what: "An adapter with the name “{name}” is open already.", do: "Close that one first, or rename the file." },
    "sampling.steps": { what: "{steps} sampling steps are not possible.", do: "Give a whole number from 1 to {most}." },
    "sampling.not-finite": {
      what: "The model gave invalid numbers at sampling step {step} of {steps}.",
      do: "Usual causes are a LoRA trained with too high a learning rate, a weight far above 1, or a damaged checkpoint.",
    },
    "prompt.lora-weight": { what: "“{value}” is no weight for the LoRA “{name}”.", do: "Write a number, as in <lora:{name}:0.8>." },
    "prompt.embedding-size": { what: "The embedding “{name}” has {vectors} vectors.", do: "A prompt has room for 1 to {most}. Use a smaller embedding." },
    "embedding.notAnEmbedding": { what: "{file} is no textual-inversion embedding.", do: "Choose a .safetensors, .pt or .bin file with the embedding's vectors." },
    "embedding.width": {
      what: "The embedding {file} has vectors of {width} numbers, and this model's have {wanted}.",
      do: "It was made for a model of another family. Choose one for this model.",
    },
    "embedding.corrupt": { what: "The embedding {file} is empty, or holds values that are not finite in half precision.", do: damaged },
    "vae.notAVae": { what: "{file} is no VAE with a decoder.", do: "Choose the VAE of a Stable Diffusion model." },
    "vae.unsupported": { what: "{file} is a VAE of another kind of model, with {channels} latent channels.", do: "Choose the VAE of a Stable Diffusion 1.x or 2.x model." },
    "model.noDecoder": { what: "{file} has no VAE decoder.", do: "Choose the version of the checkpoint with its VAE, or a VAE file beside it." },
    "preset.damaged": { what: "This preset is damaged or incomplete.", do: "Copy the whole link again, or ask for the preset as a file." },
    "preset.newer": { what: "This preset was made by a newer version of the page (format {version}; this one knows {known}).", do: "Reload the page while online to update it, then open the preset again." },
    "preset.tooLong": { what: "The link has {length} characters; a preset's link has at most {most}.", do: "Ask for the preset as a file." },
    "config.syntax": { what: "The configuration cannot be read: {reason}", do: "Correct that place in the file, or save it again in kohya_ss." },
    "config.type": { what: "{param} cannot be {value}: it {rule}.", do: "Correct it where the settings come from." },
    "config.range": { what: "{param} cannot be {value}: it {rule}.", do: "Correct it where the settings come from." },
    "config.choice": { what: "{param} cannot be {value}: it {rule}.", do: "Correct it where the settings come from." },
    "config.conflict": { what: "{param} cannot be {value}: {rule}.", do: "Correct it where the settings come from." },
    "config.unsupported": { what: "{param} cannot be {value}: {rule}.", do: "Use other settings, or train these with sd-scripts." },
    "config.clip_skip": { what: "clip_skip {clip_skip} leaves no layer of the text encoder's {layers}.", do: "Choose a smaller clip_skip." },
    "generation.unknownLora": { what: "The LoRA “{name}” is not open.", do: "Open its file, or take it out of the prompt and the list." },
    "run.nothingStored": {
      what: "This LoRA is no longer stored here: the run was deleted, or it has gone on since.",
      do: "Choose another one of the run.",
    },
    "grid.empty": { what: "An axis of the grid has no values.", do: "Write values separated by commas." },
    "grid.value": {
      what: "“{value}” cannot be used on this axis of the grid.",
      do: "Write numbers or ranges, such as 1, 2.5, 1-5, 1-5 (+2) or 0-1.5 [4]; for samplers, their names.",
    },
    "grid.sameAxis": { what: "Both axes of the grid are the same.", do: "Choose another one for the rows." },
    "grid.noAdapter": { what: "The grid varies a LoRA, and none is chosen.", do: "Choose the LoRA that it is about." },
    "grid.notInPrompt": {
      what: "“{text}” is in neither the prompt nor the negative prompt.",
      do: "The first value of the list is what is searched for; the others replace it.",
    },
    "grid.tooLarge": { what: "A grid of {columns} × {rows} has {count} pictures, and {limit} are the most.", do: "Take fewer values." },
    "png.notPng": { what: "This file is not a PNG picture.", do: "Choose the PNG as it was saved; other formats lose the settings." },
    "png.damaged": { what: "This PNG picture is damaged.", do: "Save or download it again." },
    "storage.full": {
      what: "This browser has no room left to store {what}.",
      do: "Free disk space, or delete earlier runs below. Nothing already stored is lost.",
    },
    "storage.unavailable": {
      what: "This window cannot store data.",
      do: "You can train, but a reload loses the run. A normal window (not a private one) keeps it.",
    },
    "storage.failed": { what: "The browser could not store the run's state.", do: "Training goes on; do not reload before it ends." },
    "model.copyGone": { what: "The browser deleted its copy of the model.", do: "Choose the file again." },
    "file.unreadable": {
      what: "{file} can no longer be read.",
      do: "It was moved, changed or removed after it was chosen. Choose it again.",
    },
    "safetensors.tooShort": { what: "{file} is too short to be a safetensors file.", do: damaged },
    "safetensors.headerTooLarge": {
      what: "{file} is neither a safetensors file nor one of PyTorch’s, or its header is damaged.",
      do: "Choose another file, or download this one again.",
    },
    "safetensors.truncated": { what: "{file} ends too early: part of it is missing.", do: damaged },
    "safetensors.headerUtf8": { what: "The header of {file} is not text.", do: damaged },
    "safetensors.headerJson": { what: "The header of {file} cannot be read.", do: damaged },
    "safetensors.duplicateKey": { what: "{file} names {key} twice.", do: damaged },
    "safetensors.metadata": { what: "The metadata of {file} is malformed.", do: damaged },
    "safetensors.entry": { what: "{file} describes the tensor {tensor} incompletely.", do: damaged },
    "safetensors.dtype": { what: "{file} stores {tensor} in the unknown format {dtype}.", do: damaged },
    "safetensors.size": { what: "In {file} the size of {tensor} does not match its shape.", do: damaged },
    "safetensors.offsets": { what: "In {file} the position of {tensor} is wrong.", do: damaged },
    "safetensors.overlap": { what: "In {file} the data of {tensor} overlaps another tensor's.", do: damaged },
    "safetensors.trailing": { what: "{file} has bytes behind its last tensor.", do: damaged },
    "torch.truncated": { what: "{file} ends too early: part of it is missing.", do: damaged },
    "torch.corrupt": { what: "{file} is a PyTorch file that is damaged.", do: damaged },
    "torch.unsafe": {
      what: "{file} wants to run {global} where weights should be. Nothing was run.",
      do: "Use a .safetensors version of it, from a source that you trust.",
    },
    "torch.unsupported": {
      what: "{file} is a PyTorch file of a kind that is not read here.",
      do: "Save it again with a current PyTorch, or use a .safetensors version of it.",
    },
    "torch.limit": { what: "{file} is built as no model is: it is damaged or made to do harm.", do: "Use another copy of it." },
    "torch.noTensors": { what: "{file} holds no weights.", do: "Choose another file." },
    "tensors.missing": { what: "{file} has no tensor {tensor}.", do: damaged },
    "tensors.notFloat": { what: "{file} stores {tensor} as {dtype}, which is no floating-point format.", do: damaged },
    "lora.notANetwork": {
      what: "{file} is not an adapter.",
      do: "Choose a LoRA, LoCon, LoHa or LoKr, a .safetensors file of usually 5 to 300 MB.",
    },
    "lora.incomplete": { what: "{file} lacks {key}.", do: damaged },
    "lora.wrongShape": { what: "{file} has tensors of {key} whose shapes do not fit together.", do: damaged },
    "lora.notFinite": { what: "{file} holds invalid values in {key}.", do: "Its training failed, or the file is damaged. Choose another one." },
    "lora.nothingFits": {
      what: "No layer of {file} fits this model: the adapter is for {family}, the model is {base}. The first of {count} layers is {layer}.",
      do: "Choose an adapter that was made for this kind of model.",
    },
    "lora.startKind": {
      what: "{file} is of the kind {kind}, and network_module {wanted} cannot take ranks from it.",
      do: "Choose a LoRA or LoCon for networks.lora, and LoHa, LoKr or DoRA for lycoris.kohya.",
    },
    "lora.startRank": {
      what: "{layer} has rank {rank} in {file}, and the settings make it {wanted}.",
      do: "Turn on dim_from_weights to take the ranks from the file, or set the same rank.",
    },
    "lora.startShape": {
      what: "{layer} measures {found} in {file}, and {wanted} in this run.",
      do: "Set the network up as the file's was, or choose a file for this model.",
    },
    "lora.startNothing": {
      what: "{file} ({kind}) has no layer that this run trains: it begins with {layer}, the run with {wanted}.",
      do: "Choose a file of the same kind of network and model.",
    },
    "adapter.unequalScale": {
      what: "{module} has another ratio of alpha to rank than the layers beside it (q, k and v of one attention), which cannot be trained here.",
      do: "Turn off dim_from_weights, or choose a file whose layers have one ratio.",
    },
    "adapter.partialStack": {
      what: "{module} has an adapter in the file, and a layer beside it (q, k and v of one attention) has none, which cannot be trained here.",
      do: "Choose a file with all of them, or turn off dim_from_weights.",
    },
    "lora.tooLarge": {
      what: "{file} needs {bytes:bytes} in one piece for {layer}, and this GPU allows {limit:bytes}.",
      do: "Resize the adapter to a lower rank.",
    },
    "checkpoint.lora": { what: "{file} is a LoRA, not a base model.", do: "Choose the checkpoint that the new LoRA shall be trained on." },
    "checkpoint.notAModel": {
      what: "{file} is not a diffusion model.",
      do: "Choose a Stable Diffusion 1.x or 2.x checkpoint, a .safetensors or .ckpt file of 2 to 8 GB.",
    },
    "checkpoint.unsupported": {
      what: "{file} is a model of another kind and cannot be trained here.",
      do: "Stable Diffusion 1.x and 2.x checkpoints can.",
    },
    "checkpoint.unknownTensors": {
      what: "{file} has tensors in its UNet that Stable Diffusion 1 and 2 do not have: {tensors}",
      do: "It is another kind of model. Choose another checkpoint.",
    },
    "checkpoint.dtype": {
      what: "{file} stores weights in a format that cannot be trained from.",
      do: "Choose the F16, BF16 or F32 version of the model.",
    },
    "model.noVae": { what: "{file} has no VAE encoder.", do: "Choose the version of the checkpoint with its VAE." },
    "model.notFinite": { what: "In {file} the values of {key} are not finite in half precision.", do: damaged },
    "model.unreadable": { what: "{file} could not be read.", do: "Choose it again; if that does not help, download it again." },
    "model.vaeNotFinite": { what: "The VAE of this checkpoint gives invalid values for the pictures.", do: `It is damaged. ${damaged}` },
    "model.vocabulary": {
      what: "The model's text encoder knows {vocabulary} tokens, and captions need 49,408.",
      do: "It is no complete Stable Diffusion model. Choose another checkpoint.",
    },
    "state.format": { what: "The saved state is not one of this version.", do: "Start the run again." },
    "state.mismatch": { what: "The saved state belongs to other settings or another model.", do: "Start the run again." },
    "state.notFinite": { what: "The saved state holds invalid numbers in {module}.", do: "Start the run again." },
    "datasetConfig.syntax": { what: "The dataset configuration cannot be read: {reason}", do: "Correct the file, or leave it out." },
    "datasetConfig.unknownKey": { what: "The dataset configuration has {key} in {table}, which sd-scripts does not know there.", do: "Correct or remove it." },
    "datasetConfig.unsupported": { what: "In {table} of the dataset configuration, {key} is not supported here.", do: "Take it out, or train with sd-scripts." },
    "datasetConfig.missing": { what: "The dataset configuration has no {key} in {table}.", do: "Add it." },
    "datasetConfig.value": { what: "In {table} of the dataset configuration, {key} is {value}: it {rule}.", do: "Correct it there." },
    "datasetConfig.folder": {
      what: "{table} of the dataset configuration names the folder {dir}, and no folder of pictures here is clearly that one.",
      do: "Add the folder, or correct image_dir.",
    },
    "datasetConfig.mask": {
      what: "In {table} of the dataset configuration, every picture wants a mask of the same name in conditioning_data_dir, and every mask a picture: {file} is alone.",
      do: "Add what is missing, or remove it.",
    },
    "datasetConfig.needsMaskedLoss": { what: "In {table} of the dataset configuration, {key} names masks, which count only with masked_loss.", do: "Turn masked_loss on, or take {key} out." },
    "image.maskSize": { what: "{file} is {size} pixels and its mask {other}.", do: "Make both the same size." },
    "zip.damaged": { what: "{file} can't be read as a zip file: it is damaged or incomplete.", do: "Make or download it again." },
    "zip.bomb": { what: "{file} holds {what}, as archives do that are made to fill a disk.", do: "Unpack it yourself and import the pictures." },
    "zip.entryDamaged": { what: "{file} is damaged inside its archive, or packed in a way that is not supported.", do: "Unpack the archive and import its files." },
    "zip.entryLocked": { what: "{file} is locked with a password.", do: "Unpack the archive and import its files." },
    "import.fileTooLarge": { what: "{file} has {megabytes} MiB; pictures of up to {limit} MiB are read.", do: "Make it smaller." },
    "import.unsupported": { what: "{file} is a {format} picture, which browsers do not show.", do: "Convert it to PNG or JPEG." },
    "studioSet.damaged": { what: "lorasmith.json is damaged, so crops, groups and rules in it are lost.", do: "The pictures and captions beside it were taken as they are." },
    "studioSet.newer": { what: "lorasmith.json was written by a newer Lorasmith (format {version}); this one reads up to {known}.", do: "Update the page." },
    "set.changedElsewhere": {
      what: "This set was changed or deleted in another tab.",
      do: "Open it again to go on with what is there now.",
    },
    "dataset.noPictures": {
      what: "No pictures were found ({files} files looked at).",
      do: "Choose a folder that holds PNG, JPEG, WebP or BMP pictures, or folders such as 10_name with pictures in them.",
    },
    "crop.noOriginal": { what: "The file of {file} is not in this browser's storage any more.", do: "Import it again." },
    "image.undecodable": { what: "{file} cannot be read as a picture.", do: "Replace or remove it." },
    "image.tooLarge": { what: "{file} is too large: {width} × {height} pixels.", do: "Make it smaller, or remove it." },
    "image.tooSmall": {
      what: "{file} is too small: {width} × {height} pixels.",
      do: "Turn off bucket_no_upscale, replace the picture, or remove it.",
    },
    "caption.empty": { what: "The caption file {file} is empty.", do: "Write a caption into it, or delete it to use the folder's name." },
    "caption.notUtf8": { what: "The caption file {file} is not UTF-8 text.", do: "Save it again as UTF-8." },
    "caption.pattern": { what: "The pattern can't be read: {reason}.", do: "Put \\ before a character that is meant as such." },
    "caption.patternSlow": {
      what: "The pattern took longer than {seconds} seconds and was stopped. Nothing was changed.",
      do: "A repetition inside a repetition, like (a+)+, is the usual reason: write it without one of them.",
    },
    "filter.value": { what: "Nothing follows “{field}” (character {position}).", do: "Write what it should be." },
    "filter.quote": { what: "The quote at character {position} is never closed.", do: "Put another \" behind it." },
    "filter.operand": { what: "Something to look for is missing at character {position}.", do: "Write a word, a tag or a bracket there." },
    "filter.bracket": { what: "The bracket at character {position} has no partner.", do: "Add it, or put the text in quotes." },
    "filter.number": { what: "“{value}” behind {field}: is no number (character {position}).", do: "Write, for example, {example}." },
    "filter.state": { what: "“is:{value}” is not known (character {position}).", do: "There are {states}." },
    "tagList.unreadable": {
      what: "{file} is no list of tags.",
      do: "Choose a CSV file with name,type,count,\"aliases\" or tag,translation in each line.",
    },
    "download.failed": {
      what: "{name} could not be downloaded from {host}: {reason}.",
      do: "Try again later, or download it yourself and choose the file.",
    },
    "download.interrupted": {
      what: "The connection ended in the middle of {name}.",
      do: "What came is kept: download again to go on from there.",
    },
    "download.size": { what: "{name} is not the file that was expected: {reason}.", do: "Download it again, or choose your own copy." },
    "download.hash": { what: "{name} is not the file that was expected: {reason}.", do: "Download it again, or choose your own copy." },
    "tagger.gone": { what: "The files of {title} are no longer in this browser.", do: "Get it again." },
    "tagger.files": {
      what: "{files}: these are not all files of one tagger or captioner.",
      do: "Choose them together: an .onnx and its list of tags, or encoder.onnx, decoder.onnx and vocab.txt.",
    },
    "tagger.manifest": { what: "{file} does not describe a tagger or captioner: {reason}.", do: "Take the file that the conversion wrote." },
    "tagger.labels": {
      what: "{place} cannot be used as a list of tags.",
      do: "Take the list that lies beside the model, such as selected_tags.csv.",
    },
    "tagger.model": { what: "{file} cannot be loaded as an ONNX model: {reason}.", do: damaged },
    "tagger.input": {
      what: "{file} is no tagger of this kind: it takes {input}, not float32 {wanted}.",
      do: "Choose the model file of such a tagger, or another kind.",
    },
    "tagger.labelCount": {
      what: "{file} knows {outputs} tags, and the list has {labels}.",
      do: "Choose the list of tags from the model's own folder.",
    },
    "tagger.output": {
      what: "{file} gives numbers that are no probabilities, so it is no tagger of this kind.",
      do: "Choose the model file of such a tagger.",
    },
    "captioner.encoder": {
      what: "{file} is not the encoder of this captioner: it takes {input}, not pictures of {size}×{size}.",
      do: "Choose the encoder.onnx that the conversion wrote.",
    },
    "captioner.decoder": {
      what: "{file} does not fit its encoder: it takes {found}.",
      do: "Choose the decoder.onnx that the conversion wrote together with the encoder.",
    },
    "captioner.graph": { what: "{file} is another file than it should be: it takes no {wanted}.", do: "Choose Florence-2’s own files, in f32." },
    "captioner.output": {
      what: "{file} gives no scores for the words of its vocabulary.",
      do: "Choose the files of one and the same captioner.",
    },
    "captioner.vocabulary": {
      what: "{file} cannot be used as a captioner’s vocabulary.",
      do: "Take the vocab.txt that belongs to the model.",
    },
    "captioner.settings": { what: "Captions cannot be made with this value of {name}.", do: "Change it." },
    "captioner.lengths": { what: "Captions of at least {minLength} and at most {maxLength} words do not exist.", do: "Change one of the two." },
    "captioner.removal": { what: "“{pattern}” is no regular expression.", do: "Correct or remove the line." },
    "tagger.runtime": {
      what: "ONNX Runtime, which runs taggers, did not start.",
      do: "Load the page again, or use a current browser.",
    },
    "tagger.replacement": { what: "“{pair}” is no replacement.", do: "Write old,new and put ; between two of them." },
    "train.noBatches": { what: "There is nothing to train on.", do: "Choose a folder with pictures that can be used." },
    "train.splitTable": {
      what: "Adafactor looks at the table of tokens as a whole: {bytes} bytes, and this GPU binds {limit} at once.",
      do: "Choose another optimizer, or set stop_text_encoder_training to -1.",
    },
    "train.knownToken": { what: "The text encoder has the token {token} already.", do: "Choose a word to learn that is no word, such as mystyle_1." },
    "train.startMissing": { what: "The embedding {file} to go on from is not there.", do: "Choose its file again, or empty weights." },
    "train.startNetworkMissing": { what: "The LoRA {file} that the run starts from is not there.", do: "Choose its file again, or empty the setting that names it." },
    "train.startCount": { what: "The embedding {file} has {found} vectors, and {count} are to be trained.", do: "Set num_vectors_per_token to {found}." },
    "train.tokenNowhere": { what: "No caption contains {token}, so nothing would be learned.", do: "Write it into the captions, set caption_prefix to it, or use a template." },
    "train.nothingToTrain": { what: "Nothing would be trained: both learning rates are 0.", do: "Set unet_lr or text_encoder_lr." },
    "checkpoint.missingTensors": { what: "{file} lacks {count} tensors of the model: {tensors}", do: damaged },
    "checkpoint.wrongShape": {
      what: "{file} has {count} tensors whose shapes do not fit: {tensors}",
      do: "It is built differently from Stable Diffusion 1 and 2, or damaged. Choose another checkpoint.",
    },
  },
  problem: {
    "adapter.noLayer": "{count}: the model has no layer of this name.",
    "adapter.otherShape": "{count}: the model's layer has another shape.",
    "adapter.otherKind": "{count}: a kind of adapter that cannot be applied here.",
    "adapter.biasOrNorm": "{count}: a trained bias or norm, which is not applied.",
    "image.undecodable": "Cannot be read as a picture.",
    "image.tooLarge": "Too large: {width} × {height} pixels.",
    "caption.empty": "The caption is empty. Write one, or delete the file to use the folder's name.",
    "caption.notUtf8": "The caption is not UTF-8 text. Save it again as UTF-8.",
    "ignored.unsupportedPicture": "This picture format is not read. Save it as PNG, JPEG or WebP.",
    "ignored.captionWithoutPicture": "There is no picture beside this caption.",
    "ignored.nested": "In a folder inside a repeats folder. Only pictures directly in it are used.",
    "ignored.notConfigured": "In no folder of the dataset configuration, so it is passed over.",
    "ignored.outsideRepeatsFolders": "Beside folders with repeats in their names, so it is passed over.",
    "dataset.repeatsOne": "“{dir}” has no repeats in its name, as 10_name has, so each picture counts once per epoch.",
    "dataset.otherCaptionExtension": "{count} captions end differently from caption_extension ({extension}), and are used.",
    "dataset.captionsMissing": "{count} of {total} pictures in “{dir}” have no caption, and get the words of the folder's name: “{classTokens}”.",
  },
  advice: {
    "memory.checkpointing": "gradient_checkpointing would bring the peak down to {peak:bytes}, for about a third more time per step.",
    "noise.zeroTerminal": "zero_terminal_snr is for v-prediction models. This one predicts noise and learns nothing from the last steps.",
    "noise.twice": "noise_offset and multires_noise_iterations do the same thing twice. Use one of them.",
    "noise.weighsTwice": "min_snr_gamma and debiased_estimation_loss both reweigh the noise levels. Use one of them.",
    "rate.adafactor": "Adafactor with relative_step finds its own rate. Learning rates and scheduler have no effect.",
    "rate.adafactorClip": "Adafactor limits its updates itself. With a fixed rate, max_grad_norm 0 suits it better.",
    "rate.adafactorScheduler": "Adafactor with a fixed rate goes well with the scheduler constant_with_warmup.",
    "rate.adaptive": "{optimizer} finds its own step size and wants a learning rate of 1. {rate} scales every step down.",
    "rank.high": "A rank of {rank} is more than this kind of network needs and overfits sooner. Up to {most} is advised.",
    "rank.highConv": "A convolution rank of {rank} makes a large file and overfits sooner. Up to {most} is advised.",
    "start.ignored": "dim_from_weights takes the network from its file, as in sd-scripts, so these settings have no effect: {keys}.",
    "start.multipliers": "base_weights_multiplier has {numbers} numbers for {files} files. Those beyond have no effect.",
    "rate.sgd": "SGD with a learning rate of {rate} learns next to nothing. 0.01 to 0.1 is usual.",
    "memory.model": "AdamW8bit would take about {saved:bytes} less. A LoRA takes a tenth of full training.",
    "rate.full": "A learning rate of {rate} breaks a model that is trained as a whole. 0.000001 to 0.000005 is usual.",
    "rate.lion": "Lion with a learning rate of {rate} usually diverges. It wants three to ten times less than AdamW.",
  },
  rule: {
    "config.conflict.network_train_unet_only":
      "network_train_text_encoder_only is on too, which leaves nothing to train. Turn one of them off.",
    "config.conflict.dim_from_weights": "It takes the ranks from network_weights. Name that file too, or turn this off.",
    "config.conflict.lr_warmup_steps": "The constant scheduler has no warmup, and neither has Adafactor with relative_step. Set it to 0, or choose constant_with_warmup.",
    "config.conflict.unet_lr": "This optimizer takes one rate for all parts. Leave the rates of UNet and text encoder empty, or equal.",
    "config.conflict.text_encoder_lr": "This optimizer takes one rate for all parts. Leave the rates of UNet and text encoder empty, or equal.",
    "config.conflict.lr_scheduler": "adafactor is only for the optimizer Adafactor with relative_step. Choose another scheduler.",
    "config.conflict.learning_rate": "polynomial sinks to lr_end (1e-7 where lr_scheduler_args do not say it). Choose a higher rate.",
    "config.conflict.lr_scheduler_min_lr_ratio": "cosine_with_min_lr needs it: the share of the rate that is left at the end, such as 0.1.",
    "config.conflict.adaptive_noise_scale": "It adds to the noise offset. Set noise_offset too, or clear this.",
    "config.conflict.scale_v_pred_loss_like_noise_pred": "This model predicts noise; the setting is only for v-prediction models.",
    "config.conflict.v_pred_like_loss": "This model predicts v already; the setting is only for models that predict noise.",
    "config.schedulerArgs.lr_scheduler_args": "This scheduler cannot use that: {rule}.",
    "config.conflict.resolution": "Without buckets both sides must be multiples of 64. Choose such a size, or turn on enable_bucket.",
    "config.conflict.min_bucket_reso":
      "Must be at least bucket_reso_steps, and at most the shorter side of the resolution.",
    "config.conflict.max_bucket_reso": "Must be at least the longer side of the resolution.",
    "config.range.caption_extension": "Must be a file ending such as .txt.",
    "config.prompts.sample_prompts": "Some lines cannot be read; what is wrong with them is said below.",
    "config.range.output_name": "Must be a file name without folders.",
  },
  edit: editsEn,
  set: setNoticesEn,
  log: {
    "train.start": "LoRA of {unet} UNet and {textEncoder} text encoder modules; {steps} steps, seed {seed}.",
    "train.noMasks": "masked_loss changes nothing: no folder has masks. Name their folder among the folder's options (conditioning_data_dir).",
    "train.heldOut": "Pictures held out for validation: {count}.",
    "train.nothingHeldOut": "No picture is held out for validation: the share is rounded down in each folder, and all are too small.",
    "train.validation": "Validation loss after step {step}: {loss}.",
    "train.buckets": "Buckets, with pictures times repeats: {shapes}.",
    "train.startBoth": "Training UNet and text encoder as a whole, {millions} million numbers; {steps} steps, seed {seed}.",
    "train.startUNet": "Training the UNet as a whole, {millions} million numbers; {steps} steps, seed {seed}.",
    "train.startWords": "Embedding of {vectors} vectors for {token}; {steps} steps, seed {seed}.",
    "train.skipped": "Step {step} is left out: its gradients overflowed fp16. Loss scale {scale} from here on.",
    "train.baseMerged": "{file} is merged into the model with {multiplier}: {count} layers.",
    "train.baseMisfits": "{count} parts of {file} have no place in the model and are left out: {names}",
    "train.networkStart": "{count} layers start from {file}.",
    "train.networkMissing": "{count} layers of this run are not in {file} and begin anew: {names}",
    "train.networkUnused": "{count} parts of {file} have no place in this run and are left out: {names}",
    "train.networkAlpha": "{file} has alpha {alpha}, and the settings {wanted} ({layer}). As with sd-scripts, the run scales with {wanted} and the finished file says {alpha}. Set {alpha} to have both the same.",
    "train.continue": "Continuing after step {step}.",
    "samples.badLine": "{reason}",
    "samples.refused": "Line {line} of the sample prompts makes no pictures: {reason}",
    "samples.ignored": "Line {line} of the sample prompts: {flag} has no effect here.",
    "samples.lora": "Line {line} of the sample prompts: pictures show the LoRA in training alone, so <lora:…> has no effect.",
    "samples.smaller": "Samples without --w and --h are {width}×{height}, because no larger pictures are trained.",
    "samples.failed": "No samples of step {step}: {reason} Training goes on.",
    "samples.failedLine": "No sample of line {line} at step {step}: {reason} Training goes on.",
    "run.deviceLost": "The graphics driver restarted. Continuing from step {step}.",
    "model.copyNotKept": "There was no room to copy the model into this browser. Training goes on; after a reload you choose the file again.",
    "run.resultNotStored": "The finished file could not be stored here ({reason}). Download it before you close this tab.",
    "storage.full": "This browser has no room left. Training goes on without new checkpoints; nothing stored is lost.",
    "storage.failed": "The run's state could not be stored. Training goes on; do not reload before it ends.",
    "storage.unavailable": "This window cannot store data. Training goes on; a reload would lose the run.",
  },
} as const satisfies CodedTexts;

export interface CodedTexts {
  readonly errors: Readonly<Record<string, ErrorText>>;
  readonly problem: Readonly<Record<string, string>>;
  readonly advice: Readonly<Record<string, string>>;
  readonly rule: Readonly<Record<string, string>>;
  readonly edit: Readonly<Record<string, string>>;
  readonly set: Readonly<Record<string, string>>;
  readonly log: Readonly<Record<string, string>>;
}

/** The same codes in another language. */
export type SameCodes = {
  readonly errors: Readonly<Record<keyof typeof codedEn.errors, ErrorText>>;
  readonly problem: Readonly<Record<keyof typeof codedEn.problem, string>>;
  readonly advice: Readonly<Record<keyof typeof codedEn.advice, string>>;
  readonly rule: Readonly<Record<keyof typeof codedEn.rule, string>>;
  readonly edit: Readonly<Record<keyof typeof codedEn.edit, string>>;
  readonly set: Readonly<Record<keyof typeof codedEn.set, string>>;
  readonly log: Readonly<Record<keyof typeof codedEn.log, string>>;
};
