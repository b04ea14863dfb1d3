import { bool, choice, int, text } from "../parameter.ts";
import type { ConfigValues } from "../parameter.ts";

const ofWords = (values: ConfigValues): boolean => values["training_kind"] === "textual_inversion";
const withoutObjects = (values: ConfigValues): boolean => ofWords(values) && values["use_object_template"] !== true;

/** What is trained, and what a textual inversion needs to know. */
export const wordParameters = {
  training_kind: choice({
    choices: ["lora", "textual_inversion", "full"],
    aliases: { dreambooth: "full", fine_tune: "full", finetune: "full" },
    default: "lora",
    group: "model",
    label: { en: "Kind of training", "zh-CN": "训练类型" },
    hint: {
      en: "lora: a small network beside the model. textual_inversion: a new word for what the model can draw already. full: the model itself.",
      "zh-CN": "lora：附加在模型旁的小网络。textual_inversion：为模型本来就能画的内容学一个新词。full：训练整个模型。",
    },
    more: {
      en: "A textual inversion leaves the model alone and learns a few vectors behind one word, an embedding of some kilobytes. It can only find what the model knows: it suits styles and looks, less so a certain face. sd-scripts has a program of its own for it, train_textual_inversion.py. Full training (DreamBooth, fine-tuning) changes all weights of the model: it learns most, takes about ten times the memory of a LoRA, wants rates near 0.000002, and writes a whole checkpoint. That is train_db.py.",
      "zh-CN": "文本反演不改动模型，只学习一个词背后的几个向量，得到几 KB 大小的嵌入（embedding）。它只能找到模型已经会的东西：适合画风和造型，不太适合特定的人脸。sd-scripts 用单独的程序 train_textual_inversion.py 来训练它。完整训练（DreamBooth、微调）改动模型的全部权重：学得最多，显存约为 LoRA 的十倍，学习率要在 0.000002 左右，结果是一个完整的模型文件；对应 train_db.py。",
    },
  }),
  token_string: text({
    default: "",
    group: "embedding",
    label: { en: "Word to learn", "zh-CN": "要学习的词" },
    hint: {
      en: "Stands in the captions for what is learned. No word that the model knows.",
      "zh-CN": "在标注中代表要学习的内容。不能是模型已有的词。",
    },
    more: {
      en: "Wherever a caption has this text, even inside of a word, the vectors take its place; upper and lower case differ. Choose something that comes up nowhere else, such as mystyle_1. Prompts of samples use it too. In the web UI the finished embedding is called by the name of its file.",
      "zh-CN": "标注中凡是出现这段文字的地方（哪怕在单词内部）都会换成这些向量；区分大小写。请选不会在别处出现的写法，例如 mystyle_1。样图的提示词也用它。在 WebUI 中，训练好的嵌入以它的文件名来调用。",
    },
    when: ofWords,
  }),
  init_word: text({
    default: "",
    group: "embedding",
    label: { en: "Word to start from", "zh-CN": "初始词" },
    hint: {
      en: "What comes closest, such as girl or watercolor. Empty starts from small random numbers.",
      "zh-CN": "意思最接近的词，例如 girl 或 watercolor。留空则从很小的随机数开始。",
    },
    more: {
      en: "Each vector begins as a token of this text, in turn where there are fewer tokens than vectors.",
      "zh-CN": "每个向量以这段文字的一个词元作为起点；词元比向量少时轮流使用。",
    },
    when: ofWords,
  }),
  weights: text({
    default: "",
    group: "embedding",
    label: { en: "Embedding to go on from", "zh-CN": "继续训练的嵌入" },
    hint: {
      en: "A file with as many vectors as below. Empty starts from the word above.",
      "zh-CN": "向量数须与下面相同的文件。留空则从上面的初始词开始。",
    },
    more: {
      en: "Its vectors take the place of those of init_word; optimizer and learning rate begin anew. To continue a run of this program exactly, resume the run itself.",
      "zh-CN": "文件中的向量代替 init_word 的向量，优化器和学习率重新开始。若要原样继续本程序的一次训练，请恢复那次训练。",
    },
    when: ofWords,
  }),
  num_vectors_per_token: int({
    default: 1,
    min: 1,
    max: 75,
    group: "embedding",
    label: { en: "Vectors", "zh-CN": "向量数" },
    hint: {
      en: "How many tokens the word takes. 1 to 8; more learn faster and bend less.",
      "zh-CN": "这个词占用多少个词元。1 到 8；越多学得越快，但越不灵活。",
    },
    more: {
      en: "A prompt has room for 75 tokens, and the word takes this many of them each time.",
      "zh-CN": "一段提示词最多 75 个词元，每次使用这个词都会占去这么多。",
    },
    when: ofWords,
  }),
  use_object_template: bool({
    default: false,
    group: "embedding",
    label: { en: "Captions for an object", "zh-CN": "使用物体模板" },
    hint: {
      en: "Instead of the pictures' captions: \"a photo of a …\" and 26 like it, drawn for each showing.",
      "zh-CN": "不用图片的标注，而是每次从 “a photo of a …” 等 27 个模板中抽取。",
    },
    more: {
      en: "The word then stands for everything that the pictures have in common. For pictures without captions of one thing, person or animal. Wins over the templates for a style.",
      "zh-CN": "此时这个词代表所有图片的共同点。适合没有标注的、同一物体、人物或动物的图片。与画风模板同时打开时以它为准。",
    },
    when: ofWords,
  }),
  use_style_template: bool({
    default: false,
    group: "embedding",
    label: { en: "Captions for a style", "zh-CN": "使用画风模板" },
    hint: {
      en: "Instead of the pictures' captions: \"a painting in the style of …\" and 18 like it.",
      "zh-CN": "不用图片的标注，而是从 “a painting in the style of …” 等 19 个模板中抽取。",
    },
    more: {
      en: "For pictures by one hand or in one look, of whatever they show. What differs between them is then left to the model.",
      "zh-CN": "适合出自同一作者或同一画风、内容各异的图片。图片之间不同的部分就留给模型自己处理。",
    },
    when: withoutObjects,
  }),
};
