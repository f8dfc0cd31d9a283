# Two deployments of one model behind one endpoint: the first as default, then the second.
# Expects here: endpoint.yml, deployment-by-*.yml, by-file/, by-batch/, model/model.pkl, images/
set -e

SUFFIX=$(head -c 100 /dev/urandom | tr -dc 'a-z0-9' | cut -c 1-5)
ENDPOINT_NAME="digits-x$SUFFIX"
MODEL_NAME="digits-mlp"

echo "== model and compute"
az ml model create --name $MODEL_NAME --type "custom_model" --path "model/model.pkl"
az ml compute create -n batch-cluster --type amlcompute --size STANDARD_DS3_v2 --min-instances 0 --max-instances 5

echo "== endpoint $ENDPOINT_NAME"
az ml batch-endpoint create --file endpoint.yml --name $ENDPOINT_NAME
az ml batch-endpoint show --name $ENDPOINT_NAME --query "{Name:name, Defaults:defaults}"

echo "== the first deployment, as default"
FIRST="digits-by-file"
az ml batch-deployment create --file deployment-by-file.yml --endpoint-name $ENDPOINT_NAME --set-default
az ml batch-deployment show --name $FIRST --endpoint-name $ENDPOINT_NAME

echo "== a job of it"
JOB_NAME=$(az ml batch-endpoint invoke --name $ENDPOINT_NAME --input images --input-type uri_folder --query name -o tsv)
az ml job show -n $JOB_NAME --web
az ml job stream -n $JOB_NAME

STATUS=$(az ml job show -n $JOB_NAME --query status -o tsv)
echo "job $JOB_NAME: $STATUS"
if [[ $STATUS == "Completed" ]]
then
  echo "it completed"
elif [[ $STATUS == "Failed" ]]
then
  exit 1
else
  exit 2
fi

echo "== its predictions"
az ml job download --name $JOB_NAME --output-name score --download-path .
wc -l < named-outputs/score/predictions.csv

echo "== a second deployment, not as default"
SECOND="digits-by-batch"
az ml batch-deployment create -f deployment-by-batch.yml -e $ENDPOINT_NAME
JOB_NAME=$(az ml batch-endpoint invoke -n $ENDPOINT_NAME --deployment-name $SECOND --input ./images \
  --mini-batch-size 30 --instance-count 2 --set output_file_name=digits.csv --query name -o tsv)

STATUS="Queued"
while [[ $STATUS != "Completed" && $STATUS != "Failed" && $STATUS != "Canceled" ]]
do
  sleep 0.5
  STATUS=$(az ml job show --name $JOB_NAME --query status --output tsv)
done
echo "job $JOB_NAME: $STATUS"
az ml job download --name $JOB_NAME --output-name score --download-path ./second
wc -l < second/named-outputs/score/digits.csv

echo "== the second as default"
az ml batch-endpoint update --name $ENDPOINT_NAME --set defaults.deployment_name=$SECOND
DEFAULT=$(az ml batch-endpoint show --name $ENDPOINT_NAME --query defaults.deployment_name -o tsv)
echo "the default is $DEFAULT"

echo "== what is there"
az ml batch-deployment list --endpoint-name $ENDPOINT_NAME --query "[].name" -o tsv
az ml batch-deployment list-jobs --name $SECOND --endpoint-name $ENDPOINT_NAME --query [].name
az ml batch-endpoint list-jobs --name $ENDPOINT_NAME --query "[].{Name:name, Status:status}" -o table

echo "== away with it"
az ml batch-deployment delete --name $FIRST --endpoint-name $ENDPOINT_NAME --yes
az ml batch-endpoint delete --name $ENDPOINT_NAME --yes
echo "done"
